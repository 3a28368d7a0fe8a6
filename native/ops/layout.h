#pragma once

#include "graph/graph.h"

namespace jcs {

/// Joins tensors along their last axis, the channels. Costs nothing where the compiler lets the producers write into
/// the result.
class Concat : public OpOf<Concat> {
 public:
  static constexpr std::string_view kName = "concat";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// Cuts the last axis into consecutive parts; a view where the consumers take a row stride.
class Split : public OpOf<Split> {
 public:
  static constexpr std::string_view kName = "split";

  std::vector<int64_t> sizes;

  void visit(auto&& attribute) const { attribute("sizes", sizes); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// The box of `extent` at `begin`.
class Slice : public OpOf<Slice> {
 public:
  static constexpr std::string_view kName = "slice";

  Shape begin, extent;

  void visit(auto&& attribute) const {
    attribute("begin", begin);
    attribute("extent", extent);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// Zeros of shape `extent` with x at `begin`: the gradient of Slice, and U-Net's padding to the skip's size.
class Pad : public OpOf<Pad> {
 public:
  static constexpr std::string_view kName = "pad";

  Shape begin, extent;

  void visit(auto&& attribute) const {
    attribute("begin", begin);
    attribute("extent", extent);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// The elements in the opposite order along each of `axes`, which are given in rising order: torch.flip.
class Flip : public OpOf<Flip> {
 public:
  static constexpr std::string_view kName = "flip";

  std::vector<int64_t> axes;

  void visit(auto&& attribute) const { attribute("axes", axes); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// The same elements in the same order under another shape.
class Reshape : public OpOf<Reshape> {
 public:
  static constexpr std::string_view kName = "reshape";

  Shape target;

  void visit(auto&& attribute) const { attribute("target", target); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

Value concat(std::span<const Value> parts);
inline Value concat(std::initializer_list<Value> parts) { return concat(std::span(parts.begin(), parts.size())); }
std::vector<Value> split(Value x, std::span<const int64_t> sizes);
Value slice(Value x, Shape begin, Shape extent);
Value pad(Value x, Shape begin, Shape extent);
/// `x` itself where there is no axis.
Value flip(Value x, std::vector<int64_t> axes);
Value reshape(Value x, Shape target);

}  // namespace jcs
