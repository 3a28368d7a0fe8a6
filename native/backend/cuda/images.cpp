#include "ops/images.h"

#include "backend/cuda/kernels/images.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

using Inputs = std::span<const std::byte* const>;
using Outputs = std::span<std::byte* const>;

ImageExtent extentOf(const Shape& shape) { return {shape[0], shape[1], shape[2]}; }

template <typename T>
const T* as(const std::byte* memory) {
  return reinterpret_cast<const T*>(memory);
}
template <typename T>
T* as(std::byte* memory) {
  return reinterpret_cast<T*>(memory);
}

/// A kernel that is one call of a launcher with what is known of its operands.
template <typename Run>
class PixelKernel : public Kernel {
 public:
  PixelKernel(const Prepare& p, Run run) : launcher_(launcherOf(p.device)), run_(std::move(run)) {}
  void run(Inputs in, Outputs out, std::byte*) override { run_(launcher_, in, out); }

 private:
  Launcher launcher_;
  Run run_;
};

template <typename Run>
std::unique_ptr<Kernel> make(const Prepare& p, Run run) {
  return std::make_unique<PixelKernel<Run>>(p, std::move(run));
}

std::unique_ptr<Kernel> preparePixelsToImages(const Prepare& p) {
  return make(p, [extent = extentOf(p.outputs[0].type.shape), bytes = p.inputs[0].type.bytes()](
                     const Launcher& launcher, Inputs in, Outputs out) {
    pixelsToImages(launcher, extent, in[0], bytes, as<ImageRecord>(in[1]), as<float>(out[0]));
  });
}

std::unique_ptr<Kernel> prepareBitsToMasks(const Prepare& p) {
  return make(p, [extent = extentOf(p.outputs[0].type.shape), bytes = p.inputs[0].type.bytes()](
                     const Launcher& launcher, Inputs in, Outputs out) {
    bitsToMasks(launcher, extent, in[0], bytes, as<ImageRecord>(in[1]),
                in.size() == 3 ? as<Augmentation>(in[2]) : nullptr, as<float>(out[0]));
  });
}

std::unique_ptr<Kernel> prepareAugmentImages(const Prepare& p) {
  return make(p, [extent = extentOf(p.outputs[0].type.shape)](const Launcher& launcher, Inputs in, Outputs out) {
    augmentImages(launcher, extent, as<float>(in[0]), as<Augmentation>(in[1]), as<float>(out[0]));
  });
}

std::unique_ptr<Kernel> prepareMixSamples(const Prepare& p) {
  const Shape &from = p.inputs[0].type.shape, &to = p.outputs[0].type.shape;
  return make(p, [known = from[0], samples = to[0], perSample = to.elements() / std::max<int64_t>(1, to[0])](
                     const Launcher& launcher, Inputs in, Outputs out) {
    mixSamples(launcher, known, samples, perSample, as<float>(in[0]), as<MixedSample>(in[1]), as<float>(out[0]));
  });
}

std::unique_ptr<Kernel> prepareAreaAverage(const Prepare& p) {
  const auto& op = p.as<AreaAverage>();
  return make(p, [extent = extentOf(p.inputs[0].type.shape), rows = op.height, columns = op.width](
                     const Launcher& launcher, Inputs in, Outputs out) {
    areaAverage(launcher, extent, rows, columns, as<float>(in[0]), as<float>(out[0]));
  });
}

std::unique_ptr<Kernel> prepareMapsToSources(const Prepare& p) {
  return make(p, [extent = extentOf(p.inputs[0].type.shape), pixels = p.as<MapsToSources>().pixels](
                     const Launcher& launcher, Inputs in, Outputs out) {
    mapsToSources(launcher, extent, as<float>(in[0]), as<MapTarget>(in[1]), pixels, as<uint8_t>(out[0]),
                  as<MapStatistics>(out[1]), out.size() == 3 ? as<float>(out[2]) : nullptr);
  });
}

}  // namespace

void registerImages(Registry& registry) {
  registry.add<PixelsToImages>(preparePixelsToImages);
  registry.add<BitsToMasks>(prepareBitsToMasks);
  registry.add<AugmentImages>(prepareAugmentImages);
  registry.add<MixSamples>(prepareMixSamples);
  registry.add<AreaAverage>(prepareAreaAverage);
  registry.add<MapsToSources>(prepareMapsToSources);
}

}  // namespace jcs::cuda
