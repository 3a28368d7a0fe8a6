#pragma once

#include "backend/cpu/implicit_gemm.h"

namespace jcs::cpu {

/// What an op of a convolution asks for: `OpType` is Conv2d, or another with the same operands and attributes.
template <typename OpType>
GemmConvolution gemmConvolution(const Prepare& p) {
  const auto& op = p.as<OpType>();
  GemmConvolution c = gemmConvolution(op.conv, p.inputs[0], p.inputs[1].type.shape, p.outputs[0]);
  if (op.residual) c.setResidual(p.inputs[static_cast<size_t>(op.residualInput())]);
  c.activation = op.activation;
  return c;
}

/// Such an op as matrix products; `Convolution` is ImplicitGemm or WinogradConvolution.
template <typename OpType, typename Convolution>
class GemmKernel : public Kernel {
 public:
  GemmKernel(const Prepare& p, const GemmConvolution& convolution)
      : biased_(p.as<OpType>().bias),
        residual_(p.as<OpType>().residualInput()),
        weights_(p.inputs[1].type),
        gemm_(p.device, p.options, convolution) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    gemm_.run(in[0], in[1], biased_ ? reinterpret_cast<const float*>(in[2]) : nullptr,
              residual_ >= 0 ? in[static_cast<size_t>(residual_)] : nullptr, out[0], scratch);
  }
  int64_t scratchBytes() const override { return gemm_.scratchBytes(); }
  int64_t packedBytes(int input) const override { return input == 1 ? gemm_.packedBytes() : 0; }
  void pack(int, const std::byte* source, std::byte* packed) override {
    gemm_.pack(weights_.dtype, source, weightStrides(weights_.shape), packed);
  }
  std::string packedForm(int) const override { return gemm_.packedForm(); }
  std::string implementation() const override { return gemm_.implementation(); }
  Arithmetic arithmetic() const override { return gemm_.arithmetic(); }

 private:
  bool biased_;
  int residual_;
  TensorType weights_;
  Convolution gemm_;
};

}  // namespace jcs::cpu
