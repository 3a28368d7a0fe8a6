#pragma once

#include "graph/graph.h"

namespace jcs {

/// Sums, or averages, x over the axes along which `target` is 1 or missing; `target` broadcasts to x's shape. Sums are
/// kept in float32. Global average pooling is reduceMean(x, {N, 1, 1, C}).
class Reduce : public OpOf<Reduce> {
 public:
  static constexpr std::string_view kName = "reduce";

  bool mean = false;
  Shape target;

  void visit(auto&& attribute) const {
    attribute("mean", mean);
    attribute("target", target);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
  double flops(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return static_cast<double>(inputs[0].elements());
  }
};

/// Repeats x to `target`, times `scale`: the gradient of Reduce.
class Broadcast : public OpOf<Broadcast> {
 public:
  static constexpr std::string_view kName = "broadcast";

  Shape target;
  float scale = 1;

  void visit(auto&& attribute) const {
    attribute("target", target);
    attribute("scale", scale);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

Value reduceSum(Value x, Shape target);
Value reduceMean(Value x, Shape target);
Value broadcast(Value x, Shape target, float scale = 1);

}  // namespace jcs
