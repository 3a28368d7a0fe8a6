#include "ops/optimizer.h"

#include <vector>

#include "backend/cuda/kernels/optimizer.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

const float* floats(const std::byte* data) { return reinterpret_cast<const float*>(data); }
float* floats(std::byte* data) { return reinterpret_cast<float*>(data); }

/// How many updates a kernel is prepared for at once, and the elements of each.
std::vector<int64_t> sizesOf(const Prepare& p, size_t inputsEach) {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < p.inputs.size(); i += inputsEach) sizes.push_back(p.inputs[i].type.elements());
  return sizes;
}

class SgdKernel : public Kernel {
 public:
  explicit SgdKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)), op_(p.as<SgdUpdate>()), sizes_(sizesOf(p, 4)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    std::vector<SgdArrays> parameters;
    for (const int64_t elements : sizes_) {
      parameters.push_back(
          {elements, floats(in[0]), floats(in[1]), floats(in[2]), floats(in[3]), floats(out[0]), floats(out[1])});
      in = in.subspan(4), out = out.subspan(2);
    }
    sgdUpdate(launcher_, {op_.momentum, op_.weightDecay, op_.nesterov}, parameters);
  }

 private:
  Launcher launcher_;
  SgdUpdate op_;
  std::vector<int64_t> sizes_;
};

class AdamKernel : public Kernel {
 public:
  explicit AdamKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)), op_(p.as<AdamUpdate>()), sizes_(sizesOf(p, 5)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    std::vector<AdamArrays> parameters;
    for (const int64_t elements : sizes_) {
      parameters.push_back({elements, floats(in[0]), floats(in[1]), floats(in[2]), floats(in[3]), floats(in[4]),
                            floats(out[0]), floats(out[1]), floats(out[2])});
      in = in.subspan(5), out = out.subspan(3);
    }
    adamUpdate(launcher_, {op_.beta1, op_.beta2, op_.epsilon, op_.weightDecay, op_.decoupled}, parameters);
  }

 private:
  Launcher launcher_;
  AdamUpdate op_;
  std::vector<int64_t> sizes_;
};

bool always(std::span<const Operand>, std::span<const Operand>) { return true; }

}  // namespace

void registerOptimizer(Registry& registry) {
  registry.add<SgdUpdate>([](const Prepare& p) { return std::make_unique<SgdKernel>(p); }, nullptr, always);
  registry.add<AdamUpdate>([](const Prepare& p) { return std::make_unique<AdamKernel>(p); }, nullptr, always);
}

}  // namespace jcs::cuda
