#pragma once

#include "backend/cuda/kernels/launcher.h"
#include "ops/image_records.h"

/// See ops/images.h. Everything is dense; how large the images in a batch are is known to the device alone.
namespace jcs::cuda {

struct ImageExtent {
  int64_t samples, height, width;

  int64_t pixels() const { return samples * height * width; }
};

void pixelsToImages(const Launcher& launcher, const ImageExtent& extent, const std::byte* bytes, int64_t byteCount,
                    const ImageRecord* sources, float* images);
/// `augmentations` may be null.
void bitsToMasks(const Launcher& launcher, const ImageExtent& extent, const std::byte* bytes, int64_t byteCount,
                 const ImageRecord* sources, const Augmentation* augmentations, float* masks);
void augmentImages(const Launcher& launcher, const ImageExtent& extent, const float* x,
                   const Augmentation* augmentations, float* y);
/// `known` samples to mix with, of which the first `samples` are mixed.
void mixSamples(const Launcher& launcher, int64_t known, int64_t samples, int64_t perSample, const float* x,
                const MixedSample* mixed, float* y);
void areaAverage(const Launcher& launcher, const ImageExtent& extent, int64_t cellRows, int64_t cellColumns,
                 const float* x, float* y);

/// `probabilities` may be null; `pixels` is what `masks` and they hold.
void mapsToSources(const Launcher& launcher, const ImageExtent& extent, const float* maps, const MapTarget* targets,
                   int64_t pixels, uint8_t* masks, MapStatistics* statistics, float* probabilities);

}  // namespace jcs::cuda
