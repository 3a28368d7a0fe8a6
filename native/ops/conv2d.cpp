#include "ops/conv2d.h"

#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace jcs {

namespace {

constexpr const char* kUsable = "stride, dilation, groups and kernel must be at least 1, and padding not negative";

double convFlops(const Shape& weight, const Shape& y) {
  return 2.0 * static_cast<double>(weight[1] * weight[2] * weight[3]) * static_cast<double>(y.elements());
}

}  // namespace

std::vector<TensorType> Conv2d::infer(std::span<const TensorType> in) const {
  const size_t count = 2u + bias + residual;
  requireShape(in.size() == count && in[0].shape.rank() == 4 && in[1].shape.rank() == 4, in,
               "takes x N×H×W×I, weight O×I×R×S and what the attributes add");
  const Shape &x = in[0].shape, &w = in[1].shape;
  requireShape(conv.areUsable() && w[2] > 0 && w[3] > 0, in, kUsable);
  requireShape(x[3] == w[1] * conv.groups && w[0] % conv.groups == 0, in,
               "input channels must be groups times the weight's, and groups divide the output channels");
  const int64_t height = x[1] + 2 * conv.padding - conv.dilation * (w[2] - 1);
  const int64_t width = x[2] + 2 * conv.padding - conv.dilation * (w[3] - 1);
  requireShape(height > 0 && width > 0, in, "the padded input is smaller than the dilated kernel");
  const Shape y{x[0], conv.outputExtent(x[1], w[2]), conv.outputExtent(x[2], w[3]), w[0]};
  if (bias) requireShape(in[2].shape == Shape{w[0]}, in, "the bias has one value per output channel");
  if (residual)
    requireShape(in[static_cast<size_t>(residualInput())].shape == y, in, "the residual has the result's shape");
  return {{float32Output ? accumulatorOf(in[0].dtype) : in[0].dtype, y}};
}

Precision Conv2d::precision(int input) const {
  return input == 0 || input == residualInput() ? Precision::kActivation : Precision::kFloat32;
}

double Conv2d::flops(std::span<const TensorType> in, std::span<const TensorType> out) const {
  return convFlops(in[1].shape, out[0].shape);
}

std::vector<Value> Conv2d::gradient(const GradientContext& c) const {
  invariant(!residual && activation == Activation::kNone, "convolutions are differentiated before they are fused");
  const Value x = c.inputs[0], w = c.inputs[1], dy = c.outputGradients[0];
  std::vector<Value> result(c.inputs.size());
  if (c.wanted[0]) {
    auto op = std::make_shared<Conv2dInputGradient>();
    op->conv = conv;
    op->outputHeight = x.shape()[1];
    op->outputWidth = x.shape()[2];
    result[0] = addNode(op, {dy, w});
  }
  const bool wantBias = bias && c.wanted[2];
  if (c.wanted[1]) {
    auto op = std::make_shared<Conv2dWeightGradient>();
    op->conv = conv;
    op->kernelHeight = w.shape()[2];
    op->kernelWidth = w.shape()[3];
    op->bias = wantBias;
    const Value inputs[] = {x, dy};
    const auto outputs = addNodeWithOutputs(op, inputs);
    result[1] = outputs[0];
    if (wantBias) result[2] = outputs[1];
  } else if (wantBias) {
    result[2] = reduceSum(dy, Shape{w.shape()[0]});
  }
  return result;
}

std::vector<TensorType> Conv2dInputGradient::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && in[0].shape.rank() == 4 && in[1].shape.rank() == 4, in,
               "takes dy N×P×Q×O and weight O×I×R×S");
  const Shape &dy = in[0].shape, &w = in[1].shape;
  requireShape(conv.areUsable() && w[2] > 0 && w[3] > 0, in, kUsable);
  requireShape(
      dy[3] == w[0] && conv.outputExtent(outputHeight, w[2]) == dy[1] && conv.outputExtent(outputWidth, w[3]) == dy[2],
      in, "dy must be what a convolution of the output's size gives");
  return {{in[0].dtype, {dy[0], outputHeight, outputWidth, w[1] * conv.groups}}};
}

double Conv2dInputGradient::flops(std::span<const TensorType> in, std::span<const TensorType>) const {
  return convFlops(in[1].shape, in[0].shape);
}

std::vector<Value> Conv2dInputGradient::gradient(const GradientContext& c) const {
  const Value dy = c.inputs[0], w = c.inputs[1], g = c.outputGradients[0];
  std::vector<Value> result(2);
  if (c.wanted[0]) result[0] = conv2d(g, w, std::nullopt, conv);
  if (c.wanted[1]) {
    auto op = std::make_shared<Conv2dWeightGradient>();
    op->conv = conv;
    op->kernelHeight = w.shape()[2];
    op->kernelWidth = w.shape()[3];
    result[1] = addNode(op, {g, dy});
  }
  return result;
}

std::vector<TensorType> Conv2dWeightGradient::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && in[0].shape.rank() == 4 && in[1].shape.rank() == 4, in,
               "takes x N×H×W×I and dy N×P×Q×O");
  const Shape &x = in[0].shape, &dy = in[1].shape;
  requireShape(conv.areUsable() && kernelHeight > 0 && kernelWidth > 0, in, kUsable);
  requireShape(x[0] == dy[0] && x[3] % conv.groups == 0 && conv.outputExtent(x[1], kernelHeight) == dy[1] &&
                   conv.outputExtent(x[2], kernelWidth) == dy[2],
               in, "dy must be what a convolution of x gives");
  const DType dtype = accumulatorOf(in[0].dtype);
  std::vector<TensorType> types{{dtype, {dy[3], x[3] / conv.groups, kernelHeight, kernelWidth}}};
  if (bias) types.push_back({dtype, {dy[3]}});
  return types;
}

double Conv2dWeightGradient::flops(std::span<const TensorType> in, std::span<const TensorType> out) const {
  return convFlops(out[0].shape, in[1].shape);
}

std::vector<Value> Conv2dWeightGradient::gradient(const GradientContext& c) const {
  invariant(!bias || !c.outputGradients[1], "a bias gradient is not differentiated again");
  const Value x = c.inputs[0], dy = c.inputs[1], g = c.outputGradients[0];
  std::vector<Value> result(2);
  if (c.wanted[0]) {
    auto op = std::make_shared<Conv2dInputGradient>();
    op->conv = conv;
    op->outputHeight = x.shape()[1];
    op->outputWidth = x.shape()[2];
    result[0] = addNode(op, {dy, g});
  }
  if (c.wanted[1]) result[1] = conv2d(x, g, std::nullopt, conv);
  return result;
}

Value conv2d(Value x, Value weight, std::optional<Value> bias, Conv2dAttributes attributes, bool float32Output) {
  auto op = std::make_shared<Conv2d>();
  op->conv = attributes;
  op->bias = bias.has_value();
  op->float32Output = float32Output;
  return bias ? addNode(op, {x, weight, *bias}) : addNode(op, {x, weight});
}

Value convTranspose2d(Value x, Value weight, Conv2dAttributes attributes) {
  auto op = std::make_shared<Conv2dInputGradient>();
  op->conv = attributes;
  const auto extent = [&](int axis) {
    return (x.shape()[axis] - 1) * attributes.stride - 2 * attributes.padding +
           attributes.dilation * (weight.shape()[axis + 1] - 1) + 1;
  };
  op->outputHeight = extent(1);
  op->outputWidth = extent(2);
  return addNode(op, {x, weight});
}

}  // namespace jcs
