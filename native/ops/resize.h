#pragma once

#include "graph/graph.h"

namespace jcs {

/// Bilinear interpolation of N×H×W×C to height × width, PyTorch's `interpolate(mode='bilinear')`; with
/// `alignCorners` the corner pixels map onto each other, else pixel areas do.
class Resize : public OpOf<Resize> {
 public:
  static constexpr std::string_view kName = "resize";

  int64_t height = 0, width = 0;
  bool alignCorners = false;

  void visit(auto&& attribute) const {
    attribute("height", height);
    attribute("width", width);
    attribute("alignCorners", alignCorners);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// dx, height × width, from dy.
class ResizeGradient : public OpOf<ResizeGradient> {
 public:
  static constexpr std::string_view kName = "resize_gradient";

  int64_t height = 0, width = 0;
  bool alignCorners = false;

  void visit(auto&& attribute) const {
    attribute("height", height);
    attribute("width", width);
    attribute("alignCorners", alignCorners);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// One axis of the interpolation: output i is (1 − fraction) · x[low] + fraction · x[high].
struct ResizeTap {
  int64_t low, high;
  double fraction;
};
ResizeTap resizeTap(int64_t i, int64_t inputExtent, int64_t outputExtent, bool alignCorners);

/// `x` itself when it already has that size.
Value resize(Value x, int64_t height, int64_t width, bool alignCorners = false);

}  // namespace jcs
