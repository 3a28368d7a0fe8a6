#include "nn/layers.h"

#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"

namespace jcs {

Value conv2d(const Scope& scope, Value x, const ConvOptions& o) {
  const int64_t inputs = x.shape().channels(), area = o.kernel * o.kernel;
  const bool kaiming = o.init == WeightInit::kKaiming;
  const Initializer uniform = Initializer::uniformFanIn(inputs * area);
  const Value weight = scope.parameter("weight", {o.channels, inputs, o.kernel, o.kernel},
                                       kaiming ? Initializer::kaimingFanOut(o.channels * area) : uniform, o.trainable);
  std::optional<Value> bias;
  if (o.bias) bias = scope.parameter("bias", {o.channels}, kaiming ? Initializer::constant(0) : uniform, o.trainable);
  const NodeLabel label = scope.label();
  const int64_t padding = o.dilation * (o.kernel - 1) / 2;
  return conv2d(x, weight, bias, {.stride = o.stride, .padding = padding, .dilation = o.dilation}, o.float32Output);
}

Value convRelu(const Scope& scope, Value x, const ConvOptions& options) {
  const NodeLabel label = scope.label();
  return relu(conv2d(scope / "conv", x, options));
}

Value convBnRelu(const Scope& scope, Value x, const ConvOptions& options, const NormOptions& norm) {
  const NodeLabel label = scope.label();
  return relu(batchNorm(scope / "bn", conv2d(scope / "conv", x, options), norm));
}

Value linear(const Scope& scope, Value x, int64_t outputs) {
  const int64_t inputs = x.shape().channels();
  const Initializer uniform = Initializer::uniformFanIn(inputs);
  const Value weight = scope.parameter("weight", {outputs, inputs}, uniform);
  const Value bias = scope.parameter("bias", {outputs}, uniform);
  const NodeLabel label = scope.label();
  return dense(x, weight, bias);
}

Value globalAveragePool(Value x) {
  const int64_t n = x.shape()[0], c = x.shape().channels();
  return reshape(reduceMean(x, {n, 1, 1, c}), {n, c});
}

Value halve(Value x) { return maxPool2d(x, {.kernel = 2, .stride = 2}); }

Value resizeLike(Value x, Value like) { return resize(x, like.shape()[1], like.shape()[2]); }

Value resizeAligned(Value x, Value like) { return resize(x, like.shape()[1], like.shape()[2], true); }

Value squeezeExcitation(const Scope& scope, Value x, int64_t hidden) {
  const int64_t n = x.shape()[0], c = x.shape().channels();
  const NodeLabel label = scope.label();
  const Value squeezed = relu(linear(scope / "linear1", globalAveragePool(x), hidden));
  const Value scale = sigmoid(linear(scope / "linear2", squeezed, c));
  return multiply(x, reshape(scale, {n, 1, 1, c}));
}

}  // namespace jcs
