#pragma once

#include <cmath>

#include "ops/conv2d.h"

/// Convolutions of bytes: 8-bit products, summed in 32-bit integers. A pass puts them where a calibrated network has
/// them (compiler/passes.h); none of these has a gradient.
namespace jcs {

/// How a byte stands for a number: value = (byte − zero) · scale. The number 0 is a byte, so that padding is exact.
struct Quantization {
  float scale = 1;   ///< > 0
  int64_t zero = 0;  ///< 0 to 255

  bool operator==(const Quantization&) const = default;
  bool isUsable() const { return scale > 0 && zero >= 0 && zero <= 255; }
  void visit(auto&& attribute) const {
    attribute("scale", scale);
    attribute("zero", zero);
  }
};

/// byte = the integer nearest to x / scale, ties to even, + zero, and the nearest of 0 to 255 where it is none. A NaN
/// becomes 0.
class Quantize : public OpOf<Quantize> {
 public:
  static constexpr std::string_view kName = "quantize";

  Quantization to;

  void visit(auto&& attribute) const { attribute("to", to); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

/// A convolution of what bytes x N×H×W×I stand for by rounded weights, summed exactly:
///   y[n,p,q,o] = act(input.scale · s[o] · Σ (x[n,…,i] − input.zero) · v[o,i,r,s] + bias[o] + residual[n,p,q,o])
/// where s[o] = max |w[o,…]| / 127, or 1 where all are 0, and v = the integer nearest to w / s[o], ties to even, both
/// in float32. Inputs: x, w O×I×R×S (float32), then bias O (float32) if `bias`, then residual N×P×Q×O if `residual`:
/// numbers, or bytes by `residualBytes`. y are numbers of type `dtype`, or bytes by `output` where that is kU8. One
/// group.
class QuantizedConv2d : public OpOf<QuantizedConv2d> {
 public:
  static constexpr std::string_view kName = "quantized_conv2d";

  Conv2dAttributes conv;
  bool bias = false;
  bool residual = false;
  Activation activation = Activation::kNone;
  DType dtype = DType::kF32;
  Quantization input, residualBytes, output;

  void visit(auto&& attribute) const {
    attribute("conv", conv);
    attribute("bias", bias);
    attribute("residual", residual);
    attribute("activation", activation);
    attribute("dtype", dtype);
    attribute("input", input);
    attribute("residualBytes", residualBytes);
    attribute("output", output);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int input) const override;
  double flops(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
  int biasInput() const { return bias ? 2 : -1; }
  int residualInput() const { return residual ? (bias ? 3 : 2) : -1; }
};

/// The largest |v| of a weight: one less than a signed byte has below zero, so that the range is symmetric.
inline constexpr float kLargestQuantizedWeight = 127;

/// s[o] of QuantizedConv2d, of the largest |w[o,…]|.
inline float weightScale(float largest) { return largest > 0 ? largest / kLargestQuantizedWeight : 1.0f; }

/// v of a weight, of which `scale` is the output's.
inline int8_t roundedWeight(float weight, float scale) { return static_cast<int8_t>(std::nearbyint(weight / scale)); }

Value quantize(Value x, Quantization to);

}  // namespace jcs
