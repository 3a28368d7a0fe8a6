#include "backend/cuda/kernels/block_sum.cuh"
#include "backend/cuda/kernels/images.h"

namespace jcs::cuda {

namespace {

/// Where position i of a resized axis lies: low weighted 1 − fraction, high weighted fraction. (i + ½)·in/out − ½ is
/// ((2i + 1)·in − out) / 2·out, exactly.
struct Tap {
  int64_t low, high;
  float fraction;
};
__device__ inline Tap tapOf(int64_t i, int64_t extent, int64_t resized) {
  int64_t place = (2 * i + 1) * extent - resized;
  if (place < 0) place = 0;
  const int64_t low = place / (2 * resized), last = extent - 1;
  if (low >= last) return {last, last, 0.0f};
  return {low, low + 1, static_cast<float>(place - low * 2 * resized) / static_cast<float>(2 * resized)};
}

/// `blocksPerSample` blocks for each sample.
__global__ void masksKernel(int64_t height, int64_t width, int64_t blocksPerSample, const float* maps,
                            const MapTarget* targets, int64_t pixels, uint8_t* masks, float* probabilities) {
  const int64_t sample = blockIdx.x / blocksPerSample;
  const MapTarget target = targets[sample];
  if (!isUsable(target, pixels)) return;
  const float* map = maps + sample * height * width;
  const int64_t count = int64_t{target.width} * target.height, step = blocksPerSample * blockDim.x;
  for (int64_t i = blockIdx.x % blocksPerSample * blockDim.x + threadIdx.x; i < count; i += step) {
    const int64_t y = i / target.width;
    const Tap down = tapOf(y, height, target.height), across = tapOf(i - y * target.width, width, target.width);
    const float *top = map + down.low * width, *bottom = map + down.high * width;
    const float left = top[across.low] + down.fraction * (bottom[across.low] - top[across.low]);
    const float right = top[across.high] + down.fraction * (bottom[across.high] - top[across.high]);
    const float value = left + across.fraction * (right - left);
    masks[target.offset + i] = value > target.threshold ? 1 : 0;
    if (probabilities) probabilities[target.offset + i] = value;
  }
}

constexpr int kStatisticsThreads = 1024;

/// A block for each sample.
__global__ void __launch_bounds__(kStatisticsThreads)
    statisticsKernel(int64_t mapPixels, const float* maps, const MapTarget* targets, int64_t pixels,
                     const uint8_t* masks, MapStatistics* statistics) {
  const int64_t sample = blockIdx.x;
  const MapTarget target = targets[sample];
  const float* map = maps + sample * mapPixels;
  int64_t notFinite = 0, lesionPixels = 0;
  // Infinities and NaN are not 0 when subtracted from themselves.
  for (int64_t i = threadIdx.x; i < mapPixels; i += blockDim.x) notFinite += map[i] - map[i] == 0.0f ? 0 : 1;
  if (isUsable(target, pixels)) {
    const int64_t count = int64_t{target.width} * target.height;
    const uint8_t* mask = masks + target.offset;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) lesionPixels += mask[i];
  }
  int64_t* shared = sharedMemory<int64_t>();
  notFinite = blockReduce(notFinite, shared, Plus());
  lesionPixels = blockReduce(lesionPixels, shared, Plus());
  if (threadIdx.x == 0) statistics[sample] = {lesionPixels, notFinite};
}

}  // namespace

void mapsToSources(const Launcher& launcher, const ImageExtent& extent, const float* maps, const MapTarget* targets,
                   int64_t pixels, uint8_t* masks, MapStatistics* statistics, float* probabilities) {
  if (extent.samples == 0) return;
  const int64_t blocksPerSample = std::max<int64_t>(1, launcher.blocksFor(pixels) / extent.samples);
  launch(masksKernel, extent.samples * blocksPerSample, kBlock, 0, launcher, extent.height, extent.width,
         blocksPerSample, maps, targets, pixels, masks, probabilities);
  launch(statisticsKernel, extent.samples, kStatisticsThreads, kStatisticsThreads / kWarp * 8, launcher,
         extent.height * extent.width, maps, targets, pixels, masks, statistics);
}

}  // namespace jcs::cuda
