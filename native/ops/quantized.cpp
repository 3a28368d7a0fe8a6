#include "ops/quantized.h"

namespace jcs {

std::vector<TensorType> Quantize::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].dtype != DType::kU8, in, "takes one tensor of numbers");
  requireShape(to.isUsable(), in, "the scale must be above 0, and the zero 0 to 255");
  return {{DType::kU8, in[0].shape}};
}

std::vector<TensorType> QuantizedConv2d::infer(std::span<const TensorType> in) const {
  requireShape(!in.empty() && in[0].dtype == DType::kU8 && conv.groups == 1, in, "takes bytes, in one group");
  requireShape(input.isUsable() && residualBytes.isUsable() && output.isUsable(), in,
               "scales must be above 0, and zeros 0 to 255");
  Conv2d shapes;
  shapes.conv = conv;
  shapes.bias = bias;
  shapes.residual = residual;
  TensorType y = shapes.infer(in)[0];
  y.dtype = dtype;
  return {y};
}

Precision QuantizedConv2d::precision(int i) const {
  if (i == 0) return Precision::kBytes;
  return i == residualInput() ? Precision::kActivation : Precision::kFloat32;
}

double QuantizedConv2d::flops(std::span<const TensorType> in, std::span<const TensorType> out) const {
  Conv2d shapes;
  shapes.conv = conv;
  return shapes.flops(in, out);
}

Value quantize(Value x, Quantization to) {
  auto op = std::make_shared<Quantize>();
  op->to = to;
  return addNode(op, {x});
}

}  // namespace jcs
