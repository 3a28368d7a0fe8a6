#include "ops/quantized.h"

#include "backend/cpu/gemm_epilogue.h"
#include "backend/cpu/gemm_kernel.h"
#include "backend/cpu/strided_loop.h"

namespace jcs::cpu {

namespace {

template <typename X>
void quantizeBlocks(const StridedLoop<2>& loop, int64_t begin, int64_t end, uint8_t* y, const X* x, ByteCode code) {
  vectorised([=, &loop]<typename L>(L) JCS_INLINE_LAMBDA {
    loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
      const X* from = x + at[1];
      uint8_t* to = y + at[0];
      forEachBlock<L>(
          length, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA { storeBytes(to + i, load<N>(from + i), code); });
    });
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

std::unique_ptr<Kernel> prepareQuantizedConv2d(const Prepare& p) {
  const auto& op = p.as<QuantizedConv2d>();
  auto convolution = gemmConvolution<QuantizedConv2d>(p);
  convolution.input = op.input;
  convolution.residual = op.residualBytes;
  convolution.output = op.output;
  return std::make_unique<GemmKernel<QuantizedConv2d, ImplicitGemm>>(p, convolution);
}

}  // namespace

void registerQuantized(Registry& registry) {
  registry.add<Quantize>([](const Prepare& p) { return std::make_unique<QuantizeKernel>(p); },
                         [](const Op&, bool, int) { return true; });
  registry.add<QuantizedConv2d>(prepareQuantizedConv2d, [](const Op& op, bool isOutput, int index) {
    const auto& conv = static_cast<const QuantizedConv2d&>(op);
    return isOutput || index == 0 || index == conv.residualInput();
  });
}

}  // namespace jcs::cpu
