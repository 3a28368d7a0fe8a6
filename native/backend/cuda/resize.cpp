#include "ops/resize.h"

#include "backend/cuda/kernels/resize.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

ResizeGeometry geometryOf(const Operand& image, const Operand& resized, bool alignCorners) {
  const Shape &from = image.type.shape, &to = resized.type.shape;
  invariant(image.type.dtype == resized.type.dtype, "resizing keeps the dtype");
  return {from[0], from[3],      from[1],          from[2],         to[1],
          to[2],   alignCorners, image.type.dtype, image.rowStride, resized.rowStride};
}

class ResizeKernel : public Kernel {
 public:
  explicit ResizeKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)),
        geometry_(geometryOf(p.inputs[0], p.outputs[0], p.as<Resize>().alignCorners)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    resize(launcher_, geometry_, in[0], out[0]);
  }

 private:
  Launcher launcher_;
  ResizeGeometry geometry_;
};

class ResizeGradientKernel : public Kernel {
 public:
  explicit ResizeGradientKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)),
        geometry_(geometryOf(p.outputs[0], p.inputs[0], p.as<ResizeGradient>().alignCorners)) {}

  int64_t scratchBytes() const override { return resizeGradientScratchBytes(geometry_); }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    resizeGradient(launcher_, geometry_, in[0], out[0], scratch);
  }

 private:
  Launcher launcher_;
  ResizeGeometry geometry_;
};

}  // namespace

void registerResize(Registry& registry) {
  registry.add<Resize>([](const Prepare& p) { return std::make_unique<ResizeKernel>(p); }, anyOperandStrided);
  registry.add<ResizeGradient>([](const Prepare& p) { return std::make_unique<ResizeGradientKernel>(p); },
                               anyOperandStrided);
}

}  // namespace jcs::cuda
