#pragma once

#include "graph/graph.h"

namespace jcs {

/// Windows of a 2-D pooling, as PyTorch's.
struct PoolAttributes {
  /// Of average pooling: so many windows along each side of an image of any size, and nothing else counts (PyTorch's
  /// AdaptiveAvgPool2d). Window p is [⌊p·extent/bins⌋, ⌈(p + 1)·extent/bins⌉); neighbours may share pixels. 0: windows
  /// of one size.
  int64_t bins = 0;
  int64_t kernel = 2;
  int64_t stride = 2;
  int64_t padding = 0;
  bool ceilMode = false;  ///< a last, partial window counts, unless it starts in the padding
  bool countIncludePad =
      false;  ///< average pooling divides by the window's pixels in the padded image; else by those in the image
  void visit(auto&& attribute) const {
    attribute("bins", bins);
    attribute("kernel", kernel);
    attribute("stride", stride);
    attribute("padding", padding);
    attribute("ceilMode", ceilMode);
    attribute("countIncludePad", countIncludePad);
  }
  int64_t outputExtent(int64_t input) const;
};

class MaxPool2d : public OpOf<MaxPool2d> {
 public:
  static constexpr std::string_view kName = "max_pool2d";

  PoolAttributes pool;

  void visit(auto&& attribute) const { attribute("pool", pool); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// dx from (dy, x): each window's gradient goes to its first maximum in row-major order.
class MaxPool2dGradient : public OpOf<MaxPool2dGradient> {
 public:
  static constexpr std::string_view kName = "max_pool2d_gradient";

  PoolAttributes pool;

  void visit(auto&& attribute) const { attribute("pool", pool); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

class AveragePool2d : public OpOf<AveragePool2d> {
 public:
  static constexpr std::string_view kName = "average_pool2d";

  PoolAttributes pool;

  void visit(auto&& attribute) const { attribute("pool", pool); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// dx, inputHeight × inputWidth, from dy.
class AveragePool2dGradient : public OpOf<AveragePool2dGradient> {
 public:
  static constexpr std::string_view kName = "average_pool2d_gradient";

  PoolAttributes pool;
  int64_t inputHeight = 0, inputWidth = 0;

  void visit(auto&& attribute) const {
    attribute("pool", pool);
    attribute("inputHeight", inputHeight);
    attribute("inputWidth", inputWidth);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

Value maxPool2d(Value x, PoolAttributes attributes);
Value averagePool2d(Value x, PoolAttributes attributes);
/// N×H×W×C to N×bins×bins×C.
Value adaptiveAveragePool2d(Value x, int64_t bins);

}  // namespace jcs
