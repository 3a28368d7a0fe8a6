#include "ops/loss.h"

#include "backend/cuda/kernels/loss.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

/// A loss over the samples of input 0, each of `perSample` elements.
class SampleKernel : public Kernel {
 public:
  using Run = void (*)(const Launcher&, int64_t samples, int64_t perSample, std::span<const float* const> in,
                       float* out);
  SampleKernel(const Prepare& p, Run function)
      : launcher_(launcherOf(p.device)),
        samples_(p.inputs[0].type.shape[0]),
        perSample_(p.inputs[0].type.elements() / std::max<int64_t>(1, samples_)),
        run_(function) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    std::array<const float*, 2> inputs{};
    for (size_t i = 0; i < in.size(); ++i) inputs[i] = reinterpret_cast<const float*>(in[i]);
    run_(launcher_, samples_, perSample_, inputs, reinterpret_cast<float*>(out[0]));
  }

 private:
  Launcher launcher_;
  int64_t samples_, perSample_;
  Run run_;
};

using Inputs = std::span<const float* const>;

auto samples(SampleKernel::Run run) {
  return [run](const Prepare& p) { return std::make_unique<SampleKernel>(p, run); };
}

}  // namespace

void registerLoss(Registry& registry) {
  registry.add<Softmax>(samples([](const Launcher& launcher, int64_t rows, int64_t classes, Inputs in, float* out) {
    softmaxRows(launcher, rows, classes, in[0], out);
  }));
  registry.add<SoftmaxCrossEntropy>(
      samples([](const Launcher& launcher, int64_t rows, int64_t classes, Inputs in, float* out) {
        softmaxCrossEntropy(launcher, rows, classes, in[0], in[1], out);
      }));
  registry.add<MinMaxNormalize>(samples([](const Launcher& launcher, int64_t count, int64_t pixels, Inputs in,
                                           float* out) { minMaxNormalize(launcher, count, pixels, in[0], out); }));
  registry.add<MinMaxNormalizeGradient>(
      samples([](const Launcher& launcher, int64_t count, int64_t pixels, Inputs in, float* out) {
        minMaxNormalizeGradient(launcher, count, pixels, in[0], in[1], out);
      }));
}

}  // namespace jcs::cuda
