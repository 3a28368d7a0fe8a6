#include "ops/quantized.h"

#include <algorithm>

#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

uint8_t byteOf(double value, const Quantization& q) {
  const double steps = std::nearbyint(value / static_cast<double>(q.scale)) + static_cast<double>(q.zero);
  return steps > 0 ? static_cast<uint8_t>(std::min(steps, 255.0)) : 0;
}

double valueOf(uint8_t byte, const Quantization& q) {
  return static_cast<double>(byte - q.zero) * static_cast<double>(q.scale);
}

void quantize(const Quantize& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const View<uint8_t> y = operands.bytes().outputs[0];
  for (int64_t i = 0; i < x.elements(); ++i) y[i] = byteOf(x[i], op.to);
}

/// The rounded weights of an output, and what they are multiples of.
struct OutputWeights {
  double scale = 0;
  std::vector<double> steps;

  OutputWeights(const Input& w, int64_t output) {
    const int64_t count = w.elements() / w.extent(0);
    float largest = 0;
    for (int64_t i = 0; i < count; ++i)
      largest = std::max(largest, std::abs(static_cast<float>(w[output * count + i])));
    const float s = weightScale(largest);
    scale = static_cast<double>(s);
    for (int64_t i = 0; i < count; ++i)
      steps.push_back(static_cast<double>(std::nearbyint(static_cast<float>(w[output * count + i]) / s)));
  }
};

void quantizedConv2d(const QuantizedConv2d& op, const Operands& operands) {
  const Operands::Bytes bytes = operands.bytes();
  const View<const uint8_t>& x = bytes.inputs[0];
  const Input& w = operands.inputs[1];
  const bool givesBytes = op.dtype == DType::kU8;
  const Shape& y = operands.outputs[0].shape();
  const auto residual = static_cast<size_t>(op.residualInput());
  const Conv2dAttributes& conv = op.conv;
  for (int64_t o = 0; o < y[3]; ++o) {
    const OutputWeights weights(w, o);
    for (int64_t n = 0; n < y[0]; ++n)
      for (int64_t p = 0; p < y[1]; ++p)
        for (int64_t q = 0; q < y[2]; ++q) {
          double sum = 0;
          for (int64_t i = 0; i < w.extent(1); ++i)
            for (int64_t r = 0; r < w.extent(2); ++r)
              for (int64_t s = 0; s < w.extent(3); ++s) {
                const int64_t row = p * conv.stride - conv.padding + r * conv.dilation;
                const int64_t column = q * conv.stride - conv.padding + s * conv.dilation;
                if (row < 0 || row >= x.extent(1) || column < 0 || column >= x.extent(2)) continue;
                const auto tap = static_cast<size_t>((i * w.extent(2) + r) * w.extent(3) + s);
                sum += valueOf(x.at(n, row, column, i), op.input) * weights.steps[tap];
              }
          double value = sum * weights.scale;
          if (op.bias) value += operands.inputs[static_cast<size_t>(op.biasInput())][o];
          if (op.residual)
            value += operands.inputOperands[residual].type.dtype == DType::kU8
                         ? valueOf(bytes.inputs[residual].at(n, p, q, o), op.residualBytes)
                         : operands.inputs[residual].at(n, p, q, o);
          value = apply(op.activation, value);
          if (givesBytes)
            bytes.outputs[0].at(n, p, q, o) = byteOf(value, op.output);
          else
            operands.outputs[0].at(n, p, q, o) = value;
        }
  }
}

}  // namespace

void addQuantizedKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<Quantize>(kernels, quantize);
  addLoops<QuantizedConv2d>(kernels, quantizedConv2d);
}

}  // namespace jcs::reference
