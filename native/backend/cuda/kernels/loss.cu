#include "backend/cuda/kernels/loss.h"

#include "backend/cuda/kernels/block_sum.cuh"

namespace jcs::cuda {

namespace {

constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr int kSampleThreads = 1024;  ///< at most, of a block that has a whole sample

template <typename T, typename Combine>
__device__ inline T warpReduce(T value, const Combine& combine) {
#pragma unroll
  for (int bits = kWarp / 2; bits > 0; bits /= 2) value = combine(value, __shfl_xor_sync(kWholeWarp, value, bits));
  return value;
}

/// A warp for each row. The largest logit is taken out, so that no exponential overflows.
__global__ void softmaxKernel(int64_t rows, int64_t classes, const float* logits, float* p) {
  const int64_t row = globalThread() / kWarp;
  const int64_t lane = threadIdx.x % kWarp;
  const bool isRow = row < rows;
  float top = -INFINITY;
  for (int64_t k = lane; isRow && k < classes; k += kWarp) top = Greatest()(logits[row * classes + k], top);
  top = warpReduce(top, Greatest());
  float sum = 0;
  for (int64_t k = lane; isRow && k < classes; k += kWarp) sum += expf(logits[row * classes + k] - top);
  sum = warpReduce(sum, Plus());
  for (int64_t k = lane; isRow && k < classes; k += kWarp)
    p[row * classes + k] = expf(logits[row * classes + k] - top) / sum;
}

__global__ void crossEntropyKernel(int64_t rows, int64_t classes, const float* logits, const float* targets,
                                   float* loss) {
  const int64_t row = globalThread() / kWarp;
  const int64_t lane = threadIdx.x % kWarp;
  const bool isRow = row < rows;
  float top = -INFINITY;
  for (int64_t k = lane; isRow && k < classes; k += kWarp) top = Greatest()(logits[row * classes + k], top);
  top = warpReduce(top, Greatest());
  float sum = 0, weighted = 0, mass = 0;
  for (int64_t k = lane; isRow && k < classes; k += kWarp) {
    const float logit = logits[row * classes + k] - top, target = targets[row * classes + k];
    sum += expf(logit);
    weighted += target * logit;
    mass += target;
  }
  sum = warpReduce(sum, Plus());
  weighted = warpReduce(weighted, Plus());
  mass = warpReduce(mass, Plus());
  // The largest contributes 1 to the sum; log1p keeps the digits of the rest.
  if (isRow && lane == 0) loss[row] = mass * log1pf(sum - 1.0f) - weighted;
}

struct Extremes {
  float low, high;
};

/// Of a sample, in every thread of its block.
__device__ inline Extremes extremesOf(const float* x, int64_t pixels, double* shared) {
  float low = INFINITY, high = -INFINITY;
  for (int64_t i = threadIdx.x; i < pixels; i += blockDim.x) {
    low = Least()(x[i], low);
    high = Greatest()(x[i], high);
  }
  float* floats = reinterpret_cast<float*>(shared);
  low = blockReduce(low, floats, Least());
  high = blockReduce(high, floats, Greatest());
  return {low, high};
}

/// A block for each sample.
__global__ void __launch_bounds__(kSampleThreads) normalizeKernel(int64_t pixels, const float* x, float* y) {
  x += blockIdx.x * pixels;
  y += blockIdx.x * pixels;
  const Extremes e = extremesOf(x, pixels, sharedMemory<double>());
  const float range = e.high - e.low;
  const float scale = range > 0.0f ? 1.0f / range : 0.0f;
  for (int64_t i = threadIdx.x; i < pixels; i += blockDim.x) y[i] = (x[i] - e.low) * scale;
}

/// y = (x − a) / (b − a): dx = dy / r, and what reaches a and b is shared among the elements that attain them.
__global__ void __launch_bounds__(kSampleThreads)
    normalizeGradientKernel(int64_t pixels, const float* dy, const float* x, float* dx) {
  dy += blockIdx.x * pixels;
  x += blockIdx.x * pixels;
  dx += blockIdx.x * pixels;
  double* shared = sharedMemory<double>();
  const Extremes e = extremesOf(x, pixels, shared);
  const float range = e.high - e.low;
  if (!(range > 0.0f)) {  // the same in every thread
    for (int64_t i = threadIdx.x; i < pixels; i += blockDim.x) dx[i] = 0.0f;
    return;
  }
  double toLow = 0, toHigh = 0, lows = 0, highs = 0;
  for (int64_t i = threadIdx.x; i < pixels; i += blockDim.x) {
    toLow += static_cast<double>(dy[i] * (x[i] - e.high));
    toHigh -= static_cast<double>(dy[i] * (x[i] - e.low));
    lows += x[i] == e.low ? 1 : 0;
    highs += x[i] == e.high ? 1 : 0;
  }
  toLow = blockReduce(toLow, shared, Plus());
  toHigh = blockReduce(toHigh, shared, Plus());
  lows = blockReduce(lows, shared, Plus());
  highs = blockReduce(highs, shared, Plus());
  const double square = static_cast<double>(range) * static_cast<double>(range);
  const float shareOfLow = static_cast<float>(toLow / (square * lows));
  const float shareOfHigh = static_cast<float>(toHigh / (square * highs));
  for (int64_t i = threadIdx.x; i < pixels; i += blockDim.x)
    dx[i] = dy[i] / range + (x[i] == e.low ? shareOfLow : 0.0f) + (x[i] == e.high ? shareOfHigh : 0.0f);
}

/// Threads for a block that walks over that many elements: whole warps.
int threadsFor(int64_t elements, int most) {
  return static_cast<int>(std::clamp<int64_t>((elements + kWarp - 1) / kWarp * kWarp, kWarp, most));
}

}  // namespace

void softmaxRows(const Launcher& launcher, int64_t rows, int64_t classes, const float* logits, float* p) {
  const int threads = threadsFor(rows * kWarp, 128);
  launch(softmaxKernel, (rows * kWarp + threads - 1) / threads, threads, 0, launcher, rows, classes, logits, p);
}

void softmaxCrossEntropy(const Launcher& launcher, int64_t rows, int64_t classes, const float* logits,
                         const float* targets, float* loss) {
  const int threads = threadsFor(rows * kWarp, 128);
  launch(crossEntropyKernel, (rows * kWarp + threads - 1) / threads, threads, 0, launcher, rows, classes, logits,
         targets, loss);
}

void minMaxNormalize(const Launcher& launcher, int64_t samples, int64_t pixels, const float* x, float* y) {
  const int threads = threadsFor(pixels, kSampleThreads);
  launch(normalizeKernel, samples, threads, threads / kWarp * 8, launcher, pixels, x, y);
}

void minMaxNormalizeGradient(const Launcher& launcher, int64_t samples, int64_t pixels, const float* dy, const float* x,
                             float* dx) {
  const int threads = threadsFor(pixels, kSampleThreads);
  launch(normalizeGradientKernel, samples, threads, threads / kWarp * 8, launcher, pixels, dy, x, dx);
}

}  // namespace jcs::cuda
