#include "backend/cuda/kernels/image_convolution.h"

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

namespace {

constexpr int kChannels = ImageConvolution::kChannels, kTaps = ImageConvolution::kTaps;
constexpr int kOutputs = ImageConvolution::kLanes;
/// Neighbours in a row of y that a thread computes: the more, the less often it reads a weight.
template <int kStride>
constexpr int kPixelsOf = kStride == 1 ? 8 : 4;

/// Packed weights: for each product of the sum (tap, input channel) first the lower four outputs of every eight, then
/// the upper four. Threads of a warp that read at the same time then read neighbouring banks.
__device__ inline int64_t packedPlace(int64_t outputs, int64_t product, int64_t output) {
  const int64_t half = output / 4 % 2, group = output / 8;
  return product * outputs + half * (outputs / 2) + group * 4 + output % 4;
}

__global__ void packImageKernel(int64_t outputs, const float* weights, float* packed) {
  for (int64_t i = globalThread(); i < outputs * kChannels * kTaps; i += globalThreads()) {
    const int64_t output = i / (kChannels * kTaps), channel = i / kTaps % kChannels, tap = i % kTaps;
    packed[packedPlace(outputs, tap * kChannels + channel, output)] = weights[i];
  }
}

/// A thread computes eight channels of a few pixels.
template <int kStride, typename X, typename Y>
__global__ void __launch_bounds__(kBlock, 2)
    convolveKernel(ImageConvolution c, int64_t items, Divider groups, Divider runs, Divider rows, const X* x,
                   const float* packed, const float* bias, Y* y) {
  constexpr int kPixels = kPixelsOf<kStride>;
  float* weights = sharedMemory<float>();
  for (int64_t i = threadIdx.x; i < kTaps * kChannels * c.outputs; i += blockDim.x) weights[i] = packed[i];
  __syncthreads();

  constexpr int kColumns = (kPixels - 1) * kStride + 3;
  for (int64_t item = globalThread(); item < items; item += globalThreads()) {
    int64_t sample = item;
    const int64_t group = groups.split(sample), run = runs.split(sample), row = rows.split(sample);
    float sums[kPixels][kOutputs];
    const Lanes<kOutputs> shift = bias ? load<kOutputs>(bias + group * kOutputs) : filled<kOutputs>(0.0f);
#pragma unroll
    for (int p = 0; p < kPixels; ++p)
#pragma unroll
      for (int v = 0; v < kOutputs; ++v) sums[p][v] = shift.at[v];

    const int64_t left = run * kPixels * kStride - 1;
#pragma unroll
    for (int r = 0; r < 3; ++r) {
      const int64_t line = row * kStride - 1 + r;
      if (line < 0 || line >= c.height) continue;
      const X* from = x + (sample * c.height + line) * c.width * kChannels;
      float values[kColumns * kChannels];
#pragma unroll
      for (int i = 0; i < kColumns; ++i) {
        const bool inside = left + i >= 0 && left + i < c.width;
#pragma unroll
        for (int channel = 0; channel < kChannels; ++channel)
          values[i * kChannels + channel] = inside ? toFloat(from[(left + i) * kChannels + channel]) : 0.0f;
      }
#pragma unroll
      for (int s = 0; s < 3; ++s)
#pragma unroll
        for (int channel = 0; channel < kChannels; ++channel) {
          const float* products = weights + ((r * 3 + s) * kChannels + channel) * c.outputs + group * 4;
          const Lanes<4> lower = load<4>(products), upper = load<4>(products + c.outputs / 2);
#pragma unroll
          for (int p = 0; p < kPixels; ++p) {
            const float value = values[(p * kStride + s) * kChannels + channel];
#pragma unroll
            for (int v = 0; v < 4; ++v) {
              sums[p][v] += value * lower.at[v];
              sums[p][4 + v] += value * upper.at[v];
            }
          }
        }
    }

    Y* to = y + ((sample * c.outputHeight + row) * c.outputWidth + run * kPixels) * c.yStride + group * kOutputs;
#pragma unroll
    for (int p = 0; p < kPixels; ++p) {
      if (run * kPixels + p >= c.outputWidth) break;
      Lanes<kOutputs> result;
#pragma unroll
      for (int v = 0; v < kOutputs; ++v) result.at[v] = activate(c.activation, sums[p][v]);
      store(to + p * c.yStride, result);
    }
  }
}

}  // namespace

void packImageWeights(const Launcher& launcher, int64_t outputs, const float* weights, float* packed) {
  launch(packImageKernel, launcher.blocksFor(outputs * kChannels * kTaps), kBlock, 0, launcher, outputs, weights,
         packed);
}

void convolveImages(const Launcher& launcher, const ImageConvolution& c, const void* x, const float* packed,
                    const float* bias, void* y) {
  const int64_t pixels = c.stride == 1 ? kPixelsOf<1> : kPixelsOf<2>;
  const int64_t groups = c.outputs / kOutputs, runs = (c.outputWidth + pixels - 1) / pixels;
  const int64_t items = c.samples * c.outputHeight * runs * groups;
  // Weights are read once a block: blocks stay for several waves of pixels.
  const int64_t blocks = std::min<int64_t>((items + kBlock - 1) / kBlock, int64_t{4} * launcher.multiprocessors);
  withElement(c.xDtype, [&]<typename X>(X*) {
    withElement(c.yDtype, [&]<typename Y>(Y*) {
      const auto start = [&](auto stride) {
        launch(convolveKernel<decltype(stride)::value, X, Y>, blocks, kBlock, c.packedBytes(), launcher, c, items,
               Divider(groups, items), Divider(std::max<int64_t>(runs, 1), items),
               Divider(std::max<int64_t>(c.outputHeight, 1), items), static_cast<const X*>(x), packed, bias,
               static_cast<Y*>(y));
      };
      if (c.stride == 1) return start(std::integral_constant<int, 1>());
      start(std::integral_constant<int, 2>());
    });
  });
}

}  // namespace jcs::cuda
