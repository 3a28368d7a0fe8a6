#include "ops/batch_norm.h"

#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace jcs {

namespace {

bool perChannel(std::span<const TensorType> in, const Shape& shape) {
  for (const TensorType& type : in)
    if (type.shape != shape) return false;
  return true;
}

}  // namespace

std::vector<TensorType> BatchNorm::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == (residual ? 4 : 3) && in[0].shape.rank() >= 2, in,
               residual ? "takes x, gamma, beta and a residual" : "takes x, gamma and beta");
  requireShape(!residual || in[3].shape == in[0].shape, in, "the residual has x's shape");
  const Shape channels{in[0].shape.channels()};
  requireShape(perChannel(in.subspan(1, 2), channels), in, "gamma and beta have one value per channel");
  require(in[0].shape.rows() > 1, errors::kBatchNormBatchTooSmall, [&] {
    return "batch normalisation in 'batch' mode needs more than one value per channel, got shape " +
           in[0].shape.toString() + "; use a larger batch or image, or batchNorm: 'eval'";
  });
  const DType accumulator = accumulatorOf(in[0].dtype);
  return {in[0], {accumulator, channels}, {accumulator, channels}};
}

std::vector<Value> BatchNorm::gradient(const GradientContext& c) const {
  invariant(activation == Activation::kNone && !residual, "batch norm is differentiated before it is fused");
  const Value x = c.inputs[0], mean = c.outputs[1], dMean = c.outputGradients[1], dVariance = c.outputGradients[2];
  std::vector<Value> result(3);
  if (c.outputGradients[0]) {
    auto op = std::make_shared<BatchNormGradient>();
    op->epsilon = epsilon;
    const Value inputs[] = {c.outputGradients[0], x, c.inputs[1], mean, c.outputs[2]};
    result = addNodeWithOutputs(op, inputs);
  }
  if (!c.wanted[0] || !(dMean || dVariance)) return result;
  // d mean / d x = 1 / count, d variance / d x = 2 (x − mean) / count
  const float share = 1 / static_cast<float>(x.shape().rows());
  Value shift = dMean ? multiply(dMean, share) : Value();
  Value dx;
  if (dVariance) {
    const Value slope = multiply(dVariance, 2 * share), offset = multiply(multiply(slope, mean), -1);
    dx = affine(x, slope, shift ? add(shift, offset) : offset);
  } else {
    dx = broadcast(shift, x.shape());
  }
  result[0] = result[0] ? add(result[0], dx) : dx;
  return result;
}

std::vector<TensorType> BatchNormGradient::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == (relu ? 6 : 5) && in[0].shape == in[1].shape && in[1].shape.rank() >= 2, in,
               relu ? "takes dy, x, gamma, mean, variance and beta" : "takes dy, x, gamma, mean and variance");
  requireShape(perChannel(in.subspan(2), {in[0].shape.channels()}), in, "statistics have one value per channel");
  return {in[1], {in[2].dtype, in[2].shape}, {in[2].dtype, in[2].shape}};
}

std::vector<TensorType> BatchNormScaleShift::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 4 && in[0].shape.rank() == 1 && perChannel(in, in[0].shape), in,
               "takes gamma, beta, mean and variance, one value per channel each");
  return {in[0], in[0]};
}

std::vector<Value> BatchNormScaleShift::gradient(const GradientContext& c) const {
  invariant(!c.wanted[2] && !c.wanted[3], "stored statistics are not differentiated");
  const Value mean = c.inputs[2], variance = c.inputs[3];
  const Value dScale = c.outputGradients[0], dShift = c.outputGradients[1];
  std::vector<Value> result(4);
  if (c.wanted[1] && dShift) result[1] = dShift;
  if (c.wanted[0]) {
    // d shift / d scale = −mean, d scale / d gamma = 1 / sqrt(variance + epsilon)
    Value total = dScale;
    if (dShift) {
      const Value part = multiply(multiply(dShift, mean), -1);
      total = total ? add(total, part) : part;
    }
    if (total) result[0] = divide(total, sqrt(epsilon == 0 ? variance : add(variance, epsilon)));
  }
  return result;
}

BatchNormResult batchNorm(Value x, Value gamma, Value beta, float epsilon) {
  auto op = std::make_shared<BatchNorm>();
  op->epsilon = epsilon;
  const Value inputs[] = {x, gamma, beta};
  const auto outputs = addNodeWithOutputs(op, inputs);
  return {outputs[0], outputs[1], outputs[2]};
}

Value batchNormInference(Value x, Value gamma, Value beta, Value mean, Value variance, float epsilon) {
  auto op = std::make_shared<BatchNormScaleShift>();
  op->epsilon = epsilon;
  const Value inputs[] = {gamma, beta, mean, variance};
  const auto outputs = addNodeWithOutputs(op, inputs);
  return affine(x, outputs[0], outputs[1]);
}

}  // namespace jcs
