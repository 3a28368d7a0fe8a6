#include "ops/pool.h"

namespace jcs {

namespace {

Shape pooled(const Shape& x, const PoolAttributes& pool) {
  return {x[0], pool.outputExtent(x[1]), pool.outputExtent(x[2]), x[3]};
}

constexpr const char* kRule =
    "takes N×H×W×C at least as large as the kernel less its padding; kernel and stride are at least 1";

bool fits(const Shape& x, const PoolAttributes& pool) {
  if (pool.bins > 0) return x.rank() == 4 && x.elements() > 0;
  if (pool.kernel < 1 || pool.stride < 1 || pool.padding < 0) return false;
  return x.rank() == 4 && x[1] + 2 * pool.padding >= pool.kernel && x[2] + 2 * pool.padding >= pool.kernel;
}

}  // namespace

int64_t PoolAttributes::outputExtent(int64_t input) const {
  if (bins > 0) return bins;
  const int64_t span = input + 2 * padding - kernel;
  int64_t extent = (span + (ceilMode ? stride - 1 : 0)) / stride + 1;
  if (ceilMode && (extent - 1) * stride >= input + padding) --extent;
  return extent;
}

std::vector<TensorType> MaxPool2d::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && pool.bins == 0 && fits(in[0].shape, pool), in, kRule);
  return {{in[0].dtype, pooled(in[0].shape, pool)}};
}

std::vector<Value> MaxPool2d::gradient(const GradientContext& c) const {
  auto op = std::make_shared<MaxPool2dGradient>();
  op->pool = pool;
  return {addNode(op, {c.outputGradients[0], c.inputs[0]})};
}

std::vector<TensorType> MaxPool2dGradient::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && fits(in[1].shape, pool) && in[0].shape == pooled(in[1].shape, pool), in,
               "takes dy and the x that was pooled");
  return {in[1]};
}

std::vector<TensorType> AveragePool2d::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && fits(in[0].shape, pool), in, kRule);
  return {{in[0].dtype, pooled(in[0].shape, pool)}};
}

std::vector<Value> AveragePool2d::gradient(const GradientContext& c) const {
  auto op = std::make_shared<AveragePool2dGradient>();
  op->pool = pool;
  op->inputHeight = c.inputs[0].shape()[1];
  op->inputWidth = c.inputs[0].shape()[2];
  return {addNode(op, {c.outputGradients[0]})};
}

std::vector<TensorType> AveragePool2dGradient::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].shape.rank() == 4, in, "takes dy N×P×Q×C");
  const Shape& dy = in[0].shape;
  const Shape x{dy[0], inputHeight, inputWidth, dy[3]};
  requireShape(fits(x, pool) && dy == pooled(x, pool), in, "dy must be what pooling the input's size gives");
  return {{in[0].dtype, x}};
}

Value maxPool2d(Value x, PoolAttributes attributes) {
  auto op = std::make_shared<MaxPool2d>();
  op->pool = attributes;
  return addNode(op, {x});
}

Value averagePool2d(Value x, PoolAttributes attributes) {
  auto op = std::make_shared<AveragePool2d>();
  op->pool = attributes;
  return addNode(op, {x});
}

Value adaptiveAveragePool2d(Value x, int64_t bins) {
  return averagePool2d(x, {.bins = bins, .kernel = 1, .stride = 1});
}

}  // namespace jcs
