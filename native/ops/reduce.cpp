#include "ops/reduce.h"

#include <cstdio>

#include "ops/elementwise.h"

namespace jcs {

namespace {

float countRatio(const Shape& large, const Shape& small) {
  return small.elements() == 0
             ? 0.0f
             : static_cast<float>(static_cast<double>(small.elements()) / static_cast<double>(large.elements()));
}

Value reduce(Value x, Shape target, bool mean) {
  auto op = std::make_shared<Reduce>();
  op->mean = mean;
  op->target = std::move(target);
  return addNode(op, {x});
}

}  // namespace

std::vector<TensorType> Reduce::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && broadcastsTo(target, in[0].shape), in, "the target must broadcast to the input");
  return {{accumulatorOf(in[0].dtype), target}};
}

std::vector<Value> Reduce::gradient(const GradientContext& c) const {
  const Shape& shape = c.inputs[0].shape();
  return {broadcast(c.outputGradients[0], shape, mean ? countRatio(shape, target) : 1.0f)};
}

std::vector<TensorType> Broadcast::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && broadcastsTo(in[0].shape, target), in, "the input must broadcast to the target");
  return {{in[0].dtype, target}};
}

std::vector<Value> Broadcast::gradient(const GradientContext& c) const {
  const Value sum = reduceSum(c.outputGradients[0], c.inputs[0].shape());
  return {scale == 1 ? sum : multiply(sum, scale)};
}

Value reduceSum(Value x, Shape target) { return reduce(x, std::move(target), false); }
Value reduceMean(Value x, Shape target) { return reduce(x, std::move(target), true); }

Value broadcast(Value x, Shape target, float scale) {
  auto op = std::make_shared<Broadcast>();
  op->target = std::move(target);
  op->scale = scale;
  return addNode(op, {x});
}

}  // namespace jcs
