#include "ops/quantized.h"

#include "backend/cpu/gemm_epilogue.h"
#include "backend/cpu/implicit_gemm.h"
#include "backend/cpu/strided_loop.h"

namespace jcs::cpu {

namespace {

template <typename X>
JCS_VECTORISED void quantizeBlocks(const StridedLoop<2>& loop, int64_t begin, int64_t end, uint8_t* y, const X* x,
                                   ByteCode code) {
  loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
    const X* from = x + at[1];
    uint8_t* to = y + at[0];
    forEachBlock(length,
                 [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA { storeBytes(to + i, load<N>(from + i), code); });
  });
}

class QuantizeKernel : public Kernel {
 public:
  explicit QuantizeKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        dtype_(p.inputs[0].type.dtype),
        code_(p.as<Quantize>().to),
        loop_(p.outputs[0].type.shape,
              {axisStrides(p.outputs[0], p.outputs[0].type.shape), axisStrides(p.inputs[0], p.outputs[0].type.shape)}) {
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    withElement(dtype_, [&]<typename X>(X*) {
      pool_.parallelFor(threads_, loop_.blocks(), loop_.grain(), [&](int64_t begin, int64_t end, int) {
        quantizeBlocks(loop_, begin, end, reinterpret_cast<uint8_t*>(out[0]), reinterpret_cast<const X*>(in[0]), code_);
      });
    });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  DType dtype_;
  ByteCode code_;
  StridedLoop<2> loop_;
};

class QuantizedConv2dKernel : public Kernel {
 public:
  explicit QuantizedConv2dKernel(const Prepare& p)
      : biased_(p.as<QuantizedConv2d>().bias),
        residual_(p.as<QuantizedConv2d>().residualInput()),
        weights_(p.inputs[1].type),
        gemm_(p.device, p.options, convolutionOf(p)) {}

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

 private:
  static GemmConvolution convolutionOf(const Prepare& p) {
    const auto& op = p.as<QuantizedConv2d>();
    GemmConvolution c = gemmConvolution(op.conv, p.inputs[0], p.inputs[1].type.shape, p.outputs[0]);
    if (op.residual) c.setResidual(p.inputs[static_cast<size_t>(op.residualInput())]);
    c.activation = op.activation;
    c.input = op.input, c.residual = op.residualBytes, c.output = op.output;
    return c;
  }

  bool biased_;
  int residual_;
  TensorType weights_;
  ImplicitGemm gemm_;
};

}  // namespace

void registerQuantized(Registry& registry) {
  registry.add<Quantize>([](const Prepare& p) { return std::make_unique<QuantizeKernel>(p); },
                         [](const Op&, bool, int) { return true; });
  registry.add<QuantizedConv2d>([](const Prepare& p) { return std::make_unique<QuantizedConv2dKernel>(p); },
                                [](const Op& op, bool isOutput, int index) {
                                  const auto& conv = static_cast<const QuantizedConv2d&>(op);
                                  return isOutput || index == 0 || index == conv.residualInput();
                                });
}

}  // namespace jcs::cpu
