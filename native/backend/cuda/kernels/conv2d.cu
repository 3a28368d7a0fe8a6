#include "backend/cuda/kernels/conv2d.h"

#include <bit>

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

namespace {

/// The packed weights' extents but for the outermost, as dividers.
struct PackedExtents {
  Divider inputs, taps;
};

PackedExtents packedExtents(const WeightLayout& layout) {
  const int64_t elements = layout.paddedOutputs * layout.taps * layout.paddedInputs;
  return {Divider(layout.paddedInputs, elements), Divider(layout.taps, elements)};
}

template <typename T>
__global__ void packKernel(WeightLayout layout, PackedExtents extents, int64_t elements, const float* weights,
                           T* packed) {
  for (int64_t i = globalThread(); i < elements; i += globalThreads()) {
    int64_t output = i;
    const int64_t input = extents.inputs.split(output), tap = extents.taps.split(output);
    const bool real = output < layout.outputs && input < layout.inputs;
    packed[i] = fromFloat<T>(real ? weights[(output * layout.inputs + input) * layout.taps + tap] : 0.0f);
  }
}

template <typename T>
__global__ void unpackKernel(WeightLayout layout, PackedExtents extents, int64_t elements, const T* packed,
                             float* weights) {
  for (int64_t i = globalThread(); i < elements; i += globalThreads()) {
    int64_t output = i;
    const int64_t input = extents.inputs.split(output), tap = extents.taps.split(output);
    if (output < layout.outputs && input < layout.inputs)
      weights[(output * layout.inputs + input) * layout.taps + tap] = toFloat(packed[i]);
  }
}

template <int V, typename T>
__global__ void padRowsKernel(int64_t groups, Divider perRow, int64_t channels, const T* x, int64_t xStride,
                              T* padded) {
  for (int64_t i = globalThread(); i < groups; i += globalThreads()) {
    int64_t row = i;
    const int64_t channel = perRow.split(row) * V;
    store(padded + i * V, channel < channels ? load<V>(x + row * xStride + channel) : filled<V>(0.0f));
  }
}

template <int V, typename T, typename R>
__global__ void finishKernel(int64_t groups, Divider perRow, Activation activation, const T* x, int64_t xStride,
                             const float* bias, const R* residual, int64_t residualStride, T* y, int64_t yStride) {
  for (int64_t i = globalThread(); i < groups; i += globalThreads()) {
    int64_t row = i;
    const int64_t channel = perRow.split(row) * V;
    Lanes<V> lanes = load<V>(x + row * xStride + channel);
    const Lanes<V> shift = bias ? load<V>(bias + channel) : filled<V>(0.0f);
    const Lanes<V> added = residual ? load<V>(residual + row * residualStride + channel) : filled<V>(0.0f);
#pragma unroll
    for (int lane = 0; lane < V; ++lane)
      lanes.at[lane] = activate(activation, lanes.at[lane] + shift.at[lane] + added.at[lane]);
    store(y + row * yStride + channel, lanes);
  }
}

/// `perNumber` neighbouring threads, a power of two, make one number: each the sum of every perNumber-th group of V
/// channels.
template <int V, typename X, typename Y>
__global__ void rowDotsKernel(RowDots d, Divider columns, int perNumber, const X* x, const float* weights,
                              const float* bias, Y* y) {
  const int64_t numbers = d.rows * d.columns, atOnce = globalThreads() / perNumber;
  const int lane = static_cast<int>(threadIdx.x) % perNumber;
  // All threads of a warp take part in the exchange, those past the last number as well.
  for (int64_t first = 0; first < numbers; first += atOnce) {
    const int64_t number = first + globalThread() / perNumber;
    int64_t row = number;
    const int64_t column = columns.split(row);
    float sum = 0;
    for (int64_t channel = lane * V; number < numbers && channel < d.channels; channel += perNumber * V) {
      const Lanes<V> values = load<V>(x + row * d.xStride + channel);
      const Lanes<V> factors = load<V>(weights + column * d.channels + channel);
#pragma unroll
      for (int v = 0; v < V; ++v) sum += values.at[v] * factors.at[v];
    }
    for (int apart = perNumber / 2; apart > 0; apart /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, apart);
    if (lane == 0 && number < numbers)
      y[row * d.yStride + column] = fromFloat<Y>(activate(d.activation, sum + (bias ? bias[column] : 0.0f)));
  }
}

}  // namespace

#ifdef __CUDACC__
bool hasKernelsForCurrentDevice() {
  cudaFuncAttributes attributes;
  const bool has = cudaFuncGetAttributes(&attributes, packKernel<float>) == cudaSuccess;
  cudaGetLastError();
  return has;
}
#endif

void packWeights(const Launcher& launcher, const WeightLayout& layout, const float* weights, void* packed) {
  const int64_t elements = layout.paddedOutputs * layout.taps * layout.paddedInputs;
  withElement(layout.dtype, [&]<typename T>(T*) {
    launch(packKernel<T>, launcher.blocksFor(elements), kBlock, 0, launcher, layout, packedExtents(layout), elements,
           weights, static_cast<T*>(packed));
  });
}

void unpackWeights(const Launcher& launcher, const WeightLayout& layout, const void* packed, float* weights) {
  const int64_t elements = layout.paddedOutputs * layout.taps * layout.paddedInputs;
  withElement(layout.dtype, [&]<typename T>(T*) {
    launch(unpackKernel<T>, launcher.blocksFor(elements), kBlock, 0, launcher, layout, packedExtents(layout), elements,
           static_cast<const T*>(packed), weights);
  });
}

void padRows(const Launcher& launcher, const PaddedRows& p, const void* x, void* padded) {
  const int64_t bytes = sizeOf(p.dtype);
  // Groups lie wholly among the channels or wholly beyond them.
  int width = laneCount(p.channels, {{x, p.stride, bytes}, {padded, p.paddedChannels, bytes}});
  while (p.paddedChannels % width != 0) width /= 2;
  const int64_t perRow = p.paddedChannels / width, groups = p.rows * perRow;
  withElement(p.dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(padRowsKernel<lanes.value, T>, launcher.blocksFor(groups), kBlock, 0, launcher, groups,
             Divider(std::max<int64_t>(perRow, 1), groups), p.channels, static_cast<const T*>(x), p.stride,
             static_cast<T*>(padded));
    });
  });
}

void rowDots(const Launcher& launcher, const RowDots& d, const void* x, const float* weights, const float* bias,
             void* y) {
  const int width = laneCount(d.channels, {{x, d.xStride, sizeOf(d.xDtype)}, {weights, 0, 4}});
  const int64_t groups = std::max<int64_t>(1, d.channels / width), numbers = d.rows * d.columns;
  const int perNumber = static_cast<int>(std::min<int64_t>(kWarp, std::bit_ceil(static_cast<uint64_t>(groups))));
  withElement(d.xDtype, [&]<typename X>(X*) {
    withElement(d.yDtype, [&]<typename Y>(Y*) {
      withLanes(width, [&](auto lanes) {
        launch(rowDotsKernel<lanes.value, X, Y>, launcher.blocksFor(numbers * perNumber), kBlock, 0, launcher, d,
               Divider(d.columns, numbers + launcher.blocksFor(numbers * perNumber) * kBlock), perNumber,
               static_cast<const X*>(x), weights, bias, static_cast<Y*>(y));
      });
    });
  });
}

void finishRows(const Launcher& launcher, const FinishRows& f, const void* x, const float* bias, const void* residual,
                void* y) {
  const int64_t bytes = sizeOf(f.dtype);
  const int width = laneCount(f.channels, {{x, f.xStride, bytes},
                                           {y, f.yStride, bytes},
                                           {bias, 0, 4},
                                           {residual, residual ? f.residualStride : 0, sizeOf(f.residualDtype)}});
  const int64_t perRow = f.channels / width, groups = f.rows * perRow;
  withElement(f.dtype, [&]<typename T>(T*) {
    withElement(f.residualDtype, [&]<typename R>(R*) {
      withLanes(width, [&](auto lanes) {
        launch(finishKernel<lanes.value, T, R>, launcher.blocksFor(groups), kBlock, 0, launcher, groups,
               Divider(std::max<int64_t>(perRow, 1), groups), f.activation, static_cast<const T*>(x), f.xStride, bias,
               static_cast<const R*>(residual), f.residualStride, static_cast<T*>(y), f.yStride);
      });
    });
  });
}

}  // namespace jcs::cuda
