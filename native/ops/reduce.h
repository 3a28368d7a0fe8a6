#pragma once

#include "graph/graph.h"

namespace jcs {

/// Sums, or averages, x over the axes along which `target` is 1 or missing; `target` broadcasts to x's shape. Sums are
/// kept in float32. Global average pooling is reduceMean(x, {N, 1, 1, C}).
class Reduce : public Op {
 public:
  bool mean = false;
  Shape target;

  std::string_view name() const override { return "reduce"; }
  std::string attributes() const override;
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
  double flops(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return static_cast<double>(inputs[0].elements());
  }
};

/// Repeats x to `target`, times `scale`: the gradient of Reduce.
class Broadcast : public Op {
 public:
  Shape target;
  float scale = 1;

  std::string_view name() const override { return "broadcast"; }
  std::string attributes() const override;
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

Value reduceSum(Value x, Shape target);
Value reduceMean(Value x, Shape target);
Value broadcast(Value x, Shape target, float scale = 1);

}  // namespace jcs
