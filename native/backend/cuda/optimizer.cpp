#include "ops/optimizer.h"

#include "backend/cuda/kernels/optimizer.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

const float* floats(const std::byte* data) { return reinterpret_cast<const float*>(data); }
float* floats(std::byte* data) { return reinterpret_cast<float*>(data); }

class SgdKernel : public Kernel {
 public:
  explicit SgdKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)), op_(p.as<SgdUpdate>()), elements_(p.inputs[0].type.elements()) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    sgdUpdate(launcher_, elements_,
              {op_.momentum, op_.weightDecay, op_.nesterov, floats(in[0]), floats(in[1]), floats(in[2]), floats(in[3]),
               floats(out[0]), floats(out[1])});
  }

 private:
  Launcher launcher_;
  SgdUpdate op_;
  int64_t elements_;
};

class AdamKernel : public Kernel {
 public:
  explicit AdamKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)), op_(p.as<AdamUpdate>()), elements_(p.inputs[0].type.elements()) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    adamUpdate(launcher_, elements_,
               {op_.beta1, op_.beta2, op_.epsilon, op_.weightDecay, floats(in[0]), floats(in[1]), floats(in[2]),
                floats(in[3]), floats(in[4]), floats(out[0]), floats(out[1]), floats(out[2])});
  }

 private:
  Launcher launcher_;
  AdamUpdate op_;
  int64_t elements_;
};

}  // namespace

void registerOptimizer(Registry& registry) {
  registry.add<SgdUpdate>([](const Prepare& p) { return std::make_unique<SgdKernel>(p); });
  registry.add<AdamUpdate>([](const Prepare& p) { return std::make_unique<AdamKernel>(p); });
}

}  // namespace jcs::cuda
