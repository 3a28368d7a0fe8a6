#include "backend/cuda/kernels/reduce.h"

#include "backend/cuda/kernels/block_sum.cuh"
#include "backend/cuda/kernels/column_sums.cuh"

namespace jcs::cuda {

namespace {

template <int V, typename T>
struct RowTerms {
  const T* x;
  int64_t stride;

  struct Column {
    const T* x;
    int64_t stride;
    __device__ void add(int64_t row, float (&sums)[1][V]) const {
      const Lanes<V> value = load<V>(x + row * stride);
#pragma unroll
      for (int v = 0; v < V; ++v) sums[0][v] += value.at[v];
    }
  };
  __device__ Column at(int64_t channel) const { return {x + channel, stride}; }
};

struct ScaledColumn {
  float* y;
  int64_t channels;
  double scale;
  __device__ void operator()(int64_t group, int64_t channel, const double (&totals)[1]) const {
    y[group * channels + channel] = static_cast<float>(totals[0] * scale);
  }
};

/// One part of a group for each block. A group is `count` groups of lanes, `perRow` in each row.
template <int V, typename T>
__global__ void __launch_bounds__(kBlock) groupKernel(int64_t rows, int64_t count, int64_t parts, Divider perRow,
                                                      int64_t stride, const T* x, float* partials) {
  const int64_t group = blockIdx.x / parts, part = blockIdx.x % parts;
  const int64_t size = (count + parts - 1) / parts, begin = part * size;
  const int64_t end = begin + size < count ? begin + size : count;
  const T* from = x + group * rows * stride;
  float sum = 0;
#pragma unroll 4
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    int64_t row = i;
    const int64_t channel = perRow.split(row) * V;
    const Lanes<V> value = load<V>(from + row * stride + channel);
    float lanes = value.at[0];
#pragma unroll
    for (int v = 1; v < V; ++v) lanes += value.at[v];
    sum += lanes;
  }
  sum = blockReduce(sum, sharedMemory<float>(), Plus());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

/// Adds up each group's parts; a warp for each group.
__global__ void finishGroups(int64_t groups, int64_t parts, double scale, const float* partials, float* y) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t group = globalThread() / kWarp;
  double sum = 0;
  if (group < groups)
    for (int64_t part = lane; part < parts; part += kWarp) sum += static_cast<double>(partials[group * parts + part]);
#pragma unroll
  for (int bits = kWarp / 2; bits > 0; bits /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bits);
  if (lane == 0 && group < groups) y[group] = static_cast<float>(sum * scale);
}

struct AxisLoop {
  int64_t elements, terms;
  Divider kept[4], summed[4];
  int64_t keptStrides[4], summedStrides[4];
};

template <typename T>
__global__ void axisKernel(AxisLoop loop, double scale, const T* x, float* y) {
  for (int64_t i = globalThread(); i < loop.elements; i += globalThreads()) {
    int64_t rest = i, from = 0;
#pragma unroll
    for (int axis = 3; axis >= 0; --axis) from += loop.kept[axis].split(rest) * loop.keptStrides[axis];
    double sum = 0;
    for (int64_t term = 0; term < loop.terms; ++term) {
      int64_t left = term, at = from;
#pragma unroll
      for (int axis = 3; axis >= 0; --axis) at += loop.summed[axis].split(left) * loop.summedStrides[axis];
      sum += static_cast<double>(toFloat(x[at]));
    }
    y[i] = static_cast<float>(sum * scale);
  }
}

}  // namespace

int64_t columnReduceScratchBytes(const ColumnReduce& r) { return r.cut.partials(1) * 4; }

void reduceColumns(const Launcher& launcher, const ColumnReduce& r, const void* x, float* y, std::byte* scratch) {
  const int width = laneCount(r.cut.channels, {{x, r.stride, sizeOf(r.dtype)}});
  withElement(r.dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      constexpr int V = decltype(lanes)::value;
      sumColumns<1, V, float>(launcher, r.cut, RowTerms<V, T>{static_cast<const T*>(x), r.stride},
                              reinterpret_cast<float*>(scratch), ScaledColumn{y, r.cut.channels, r.scale});
    });
  });
}

int64_t groupParts(int64_t groups, int64_t rows, int64_t channels, int multiprocessors) {
  const int64_t most = std::max<int64_t>(1, rows * channels / (kBlock * 16));
  return std::clamp<int64_t>(2 * multiprocessors / std::max<int64_t>(1, groups), 1, most);
}

int64_t groupReduceScratchBytes(const GroupReduce& r) { return r.groups * r.parts * 4; }

void reduceGroups(const Launcher& launcher, const GroupReduce& r, const void* x, float* y, std::byte* scratch) {
  if (r.groups == 0) return;
  // Dense rows are one long row.
  const bool dense = r.stride == r.channels;
  const int64_t rows = dense ? 1 : r.rows, channels = dense ? r.rows * r.channels : r.channels;
  const int64_t stride = dense ? channels : r.stride;
  float* partials = reinterpret_cast<float*>(scratch);
  const int width = laneCount(channels, {{x, stride, sizeOf(r.dtype)}});
  const int64_t perPart = rows * (channels / width) / r.parts;
  const int threads = perPart <= kWarp ? kWarp : perPart <= 4 * kWarp ? 4 * kWarp : kBlock;
  withElement(r.dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(groupKernel<decltype(lanes)::value, T>, r.groups * r.parts, threads, threads / kWarp * 4, launcher, rows,
             rows * (channels / width), r.parts, Divider(std::max<int64_t>(1, channels / width), rows * channels),
             stride, static_cast<const T*>(x), partials);
    });
  });
  const int64_t warps = kBlock / kWarp, finishThreads = std::min<int64_t>(r.groups, warps) * kWarp;
  launch(finishGroups, (r.groups + warps - 1) / warps, static_cast<int>(finishThreads), 0, launcher, r.groups, r.parts,
         r.scale, static_cast<const float*>(partials), y);
}

void reduceAxes(const Launcher& launcher, const AxisReduce& r, const void* x, float* y) {
  AxisLoop loop{1, 1, {}, {}, {}, {}};
  for (size_t axis = 0; axis < 4; ++axis) {
    loop.elements *= r.kept[axis];
    loop.terms *= r.summed[axis];
  }
  for (size_t axis = 0; axis < 4; ++axis) {
    loop.kept[axis] = Divider(std::max<int64_t>(1, r.kept[axis]), loop.elements);
    loop.summed[axis] = Divider(std::max<int64_t>(1, r.summed[axis]), loop.terms);
    loop.keptStrides[axis] = r.keptStrides[axis];
    loop.summedStrides[axis] = r.summedStrides[axis];
  }
  withElement(r.dtype, [&]<typename T>(T*) {
    launch(axisKernel<T>, launcher.blocksFor(loop.elements), kBlock, 0, launcher, loop, r.scale,
           static_cast<const T*>(x), y);
  });
}

}  // namespace jcs::cuda
