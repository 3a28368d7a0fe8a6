#include "ops/batch_norm.h"

#include "backend/cuda/kernels/batch_norm.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

const float* floats(const std::byte* data) { return reinterpret_cast<const float*>(data); }
float* floats(std::byte* data) { return reinterpret_cast<float*>(data); }

ColumnCut cutOf(const Prepare& p, const Operand& x) {
  return ColumnCut::of(1, x.type.shape.rows(), x.type.shape.channels(), p.device.multiprocessors);
}

class BatchNormKernel : public Kernel {
 public:
  explicit BatchNormKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)), rows_{cutOf(p, p.inputs[0]),
                                               p.inputs[0].type.dtype,
                                               p.inputs[0].rowStride,
                                               p.as<BatchNorm>().residual ? p.inputs[3].rowStride : 0,
                                               p.outputs[0].rowStride,
                                               p.as<BatchNorm>().epsilon,
                                               p.as<BatchNorm>().activation} {}

  int64_t scratchBytes() const override { return batchNormScratchBytes(rows_.cut); }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const std::byte* residual = in.size() > 3 ? in[3] : nullptr;
    batchNorm(launcher_, rows_, {in[0], floats(in[1]), floats(in[2]), residual, out[0], floats(out[1]), floats(out[2])},
              scratch);
  }

 private:
  Launcher launcher_;
  BatchNormRows rows_;
};

class BatchNormGradientKernel : public Kernel {
 public:
  explicit BatchNormGradientKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)),
        rows_{cutOf(p, p.inputs[1]),
              p.inputs[0].type.dtype,
              p.inputs[1].type.dtype,
              p.inputs[0].rowStride,
              p.inputs[1].rowStride,
              p.outputs[0].rowStride,
              p.as<BatchNormGradient>().epsilon,
              p.as<BatchNormGradient>().relu} {}

  int64_t scratchBytes() const override { return batchNormGradientScratchBytes(rows_.cut); }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const float* beta = rows_.relu ? floats(in[5]) : nullptr;
    batchNormGradient(
        launcher_, rows_,
        {in[0], in[1], floats(in[2]), floats(in[3]), floats(in[4]), beta, out[0], floats(out[1]), floats(out[2])},
        scratch);
  }

 private:
  Launcher launcher_;
  BatchNormGradientRows rows_;
};

class BatchNormScaleShiftKernel : public Kernel {
 public:
  explicit BatchNormScaleShiftKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)),
        channels_(p.inputs[0].type.elements()),
        epsilon_(p.as<BatchNormScaleShift>().epsilon) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    batchNormScaleShift(launcher_, channels_, epsilon_, floats(in[0]), floats(in[1]), floats(in[2]), floats(in[3]),
                        floats(out[0]), floats(out[1]));
  }

 private:
  Launcher launcher_;
  int64_t channels_;
  float epsilon_;
};

}  // namespace

void registerBatchNorm(Registry& registry) {
  registry.add<BatchNorm>([](const Prepare& p) { return std::make_unique<BatchNormKernel>(p); },
                          [](const Op&, bool isOutput, int index) { return index == 0 || (!isOutput && index == 3); });
  registry.add<BatchNormGradient>(
      [](const Prepare& p) { return std::make_unique<BatchNormGradientKernel>(p); },
      [](const Op&, bool isOutput, int index) { return index == 0 || (!isOutput && index == 1); });
  registry.add<BatchNormScaleShift>([](const Prepare& p) { return std::make_unique<BatchNormScaleShiftKernel>(p); });
}

}  // namespace jcs::cuda
