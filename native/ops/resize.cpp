#include "ops/resize.h"

#include <algorithm>

namespace jcs {

ResizeTap resizeTap(int64_t i, int64_t inputExtent, int64_t outputExtent, bool alignCorners) {
  double position = 0;
  if (alignCorners) {
    if (outputExtent > 1)
      position = static_cast<double>(i) * static_cast<double>(inputExtent - 1) / static_cast<double>(outputExtent - 1);
  } else {
    const double scale = static_cast<double>(inputExtent) / static_cast<double>(outputExtent);
    position = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
  }
  const int64_t low = std::min(static_cast<int64_t>(position), inputExtent - 1);
  return {low, std::min(low + 1, inputExtent - 1), position - static_cast<double>(low)};
}

std::vector<TensorType> Resize::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].shape.rank() == 4 && in[0].elements() > 0 && height > 0 && width > 0, in,
               "takes a non-empty N×H×W×C and a positive size");
  return {{in[0].dtype, {in[0].shape[0], height, width, in[0].shape[3]}}};
}

std::vector<Value> Resize::gradient(const GradientContext& c) const {
  auto op = std::make_shared<ResizeGradient>();
  op->height = c.inputs[0].shape()[1];
  op->width = c.inputs[0].shape()[2];
  op->alignCorners = alignCorners;
  return {addNode(op, {c.outputGradients[0]})};
}

std::vector<TensorType> ResizeGradient::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].shape.rank() == 4 && height > 0 && width > 0, in, "takes dy N×P×Q×C");
  return {{in[0].dtype, {in[0].shape[0], height, width, in[0].shape[3]}}};
}

Value resize(Value x, int64_t height, int64_t width, bool alignCorners) {
  if (x.shape()[1] == height && x.shape()[2] == width) return x;
  auto op = std::make_shared<Resize>();
  op->height = height;
  op->width = width;
  op->alignCorners = alignCorners;
  return addNode(op, {x});
}

}  // namespace jcs
