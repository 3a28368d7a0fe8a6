#include "ops/layout.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "ops/reduce.h"

namespace jcs {

namespace {

Shape withChannels(Shape shape, int64_t channels) {
  shape[shape.rank() - 1] = channels;
  return shape;
}

bool insideBox(const Shape& begin, const Shape& extent, const Shape& whole) {
  if (begin.rank() != whole.rank() || extent.rank() != whole.rank()) return false;
  for (int axis = 0; axis < whole.rank(); ++axis)
    if (begin[axis] + extent[axis] > whole[axis]) return false;
  return true;
}

}  // namespace

std::vector<TensorType> Concat::infer(std::span<const TensorType> in) const {
  requireShape(!in.empty() && in[0].shape.rank() >= 1, in, "takes at least one tensor");
  int64_t channels = 0;
  for (const TensorType& type : in) {
    requireShape(type.shape.rank() == in[0].shape.rank() && withChannels(type.shape, 0) == withChannels(in[0].shape, 0),
                 in, "all inputs agree but for their channels");
    channels += type.shape.channels();
  }
  return {{in[0].dtype, withChannels(in[0].shape, channels)}};
}

std::vector<Value> Concat::gradient(const GradientContext& c) const {
  std::vector<int64_t> sizes;
  for (const Value& input : c.inputs) sizes.push_back(input.shape().channels());
  return split(c.outputGradients[0], sizes);
}

std::vector<TensorType> Split::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].shape.rank() >= 1 &&
                   std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) == in[0].shape.channels(),
               in, "the sizes must add up to the channels");
  std::vector<TensorType> types;
  for (int64_t size : sizes) types.push_back({in[0].dtype, withChannels(in[0].shape, size)});
  return types;
}

std::vector<Value> Split::gradient(const GradientContext& c) const {
  std::vector<Value> parts;
  for (size_t i = 0; i < c.outputs.size(); ++i)
    parts.push_back(c.outputGradients[i] ? c.outputGradients[i]
                                         : broadcast(c.outputs[i].graph->scalar(0), c.outputs[i].shape()));
  return {concat(parts)};
}

std::vector<TensorType> Slice::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && insideBox(begin, extent, in[0].shape), in, "the box must lie inside the input");
  return {{in[0].dtype, extent}};
}

std::vector<Value> Slice::gradient(const GradientContext& c) const {
  return {pad(c.outputGradients[0], begin, c.inputs[0].shape())};
}

std::vector<TensorType> Pad::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && insideBox(begin, in[0].shape, extent), in, "the input must fit into the result");
  return {{in[0].dtype, extent}};
}

std::vector<Value> Pad::gradient(const GradientContext& c) const {
  return {slice(c.outputGradients[0], begin, c.inputs[0].shape())};
}

std::vector<TensorType> Flip::infer(std::span<const TensorType> in) const {
  const bool isRising = std::ranges::adjacent_find(axes, std::ranges::greater_equal()) == axes.end();
  requireShape(in.size() == 1 && !axes.empty() && isRising && axes.front() >= 0 && axes.back() < in[0].shape.rank(), in,
               "takes at least one of the input's axes, each once and in rising order");
  return {in[0]};
}

std::vector<Value> Flip::gradient(const GradientContext& c) const { return {flip(c.outputGradients[0], axes)}; }

std::vector<TensorType> Reshape::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].shape.elements() == target.elements(), in, "the number of elements must stay");
  return {{in[0].dtype, target}};
}

std::vector<Value> Reshape::gradient(const GradientContext& c) const {
  return {reshape(c.outputGradients[0], c.inputs[0].shape())};
}

Value concat(std::span<const Value> parts) { return addNodeWithOutputs(std::make_shared<Concat>(), parts)[0]; }

std::vector<Value> split(Value x, std::span<const int64_t> sizes) {
  auto op = std::make_shared<Split>();
  op->sizes.assign(sizes.begin(), sizes.end());
  return addNodeWithOutputs(op, std::span(&x, 1));
}

Value slice(Value x, Shape begin, Shape extent) {
  auto op = std::make_shared<Slice>();
  op->begin = std::move(begin);
  op->extent = std::move(extent);
  return addNode(op, {x});
}

Value pad(Value x, Shape begin, Shape extent) {
  auto op = std::make_shared<Pad>();
  op->begin = std::move(begin);
  op->extent = std::move(extent);
  return addNode(op, {x});
}

Value flip(Value x, std::vector<int64_t> axes) {
  if (axes.empty()) return x;
  auto op = std::make_shared<Flip>();
  op->axes = std::move(axes);
  return addNode(op, {x});
}

Value reshape(Value x, Shape target) {
  if (x.shape() == target) return x;
  auto op = std::make_shared<Reshape>();
  op->target = std::move(target);
  return addNode(op, {x});
}

}  // namespace jcs
