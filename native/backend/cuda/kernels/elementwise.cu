#include "backend/cuda/kernels/elementwise.h"

#include <vector>

#include "backend/cuda/kernels/strided_loop.cuh"
#include "backend/cuda/kernels/update_group.cuh"

namespace jcs::cuda {

namespace {

// Which function is computed is a uniform branch inside the kernels: they wait for memory, and a template parameter
// for it would multiply their number.

__device__ inline float mapped(Map map, float x) {
  switch (map) {
    case Map::kIdentity: return x;
    case Map::kRelu: return relu(x);
    case Map::kSigmoid: return sigmoid(x);
    case Map::kSqrt: return sqrtf(x);
  }
  return x;
}

__device__ inline float paired(Pair pair, float a, float b) {
  switch (pair) {
    case Pair::kAdd: return a + b;
    case Pair::kSubtract: return a - b;
    case Pair::kMultiply: return a * b;
    case Pair::kDivide: return a / b;
    case Pair::kReluGradient: return b > 0.0f ? a : 0.0f;
    case Pair::kSigmoidGradient: return a * b * (1.0f - b);
    case Pair::kSqrtGradient: return a * 0.5f / b;
    case Pair::kSigmoidCrossEntropy: return (a < 0.0f ? 0.0f : a) - a * b + log1pf(expf(-fabsf(a)));
  }
  return a;
}

template <int V, typename Y, typename X>
__global__ void mapKernel(StridedLoop<2> loop, Map map, float scale, Y* y, const X* x) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    int64_t at[2];
    loop.locate(i, at);
    Lanes<V> lanes = loadOrRepeat<V>(x + at[1], loop.constant[1]);
#pragma unroll
    for (int lane = 0; lane < V; ++lane) lanes.at[lane] = scale * mapped(map, lanes.at[lane]);
    store(y + at[0], lanes);
  }
}

template <int V, typename A, typename B>
__global__ void pairKernel(StridedLoop<3> loop, Pair pair, Activation activation, A* y, const A* a, const B* b) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    int64_t at[3];
    loop.locate(i, at);
    Lanes<V> left = loadOrRepeat<V>(a + at[1], loop.constant[1]);
    const Lanes<V> right = loadOrRepeat<V>(b + at[2], loop.constant[2]);
#pragma unroll
    for (int lane = 0; lane < V; ++lane)
      left.at[lane] = activate(activation, paired(pair, left.at[lane], right.at[lane]));
    store(y + at[0], left);
  }
}

/// Arrays: y, a, b.
struct PairUpdate {
  Pair pair;
  Activation activation;

  template <int V>
  __device__ void apply(float* const (&arrays)[3], int64_t i, bool repeatsB) const {
    Lanes<V> left = load<V>(arrays[1] + i);
    const Lanes<V> right = repeatsB ? filled<V>(*arrays[2]) : load<V>(arrays[2] + i);
#pragma unroll
    for (int v = 0; v < V; ++v) left.at[v] = activate(activation, paired(pair, left.at[v], right.at[v]));
    store(arrays[0] + i, left);
  }
};

/// Operands: dx, a, b, y.
template <int V, typename T>
__global__ void reluGradientOfSumKernel(StridedLoop<4> loop, T* dx, const T* a, const T* b, const T* y) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    int64_t at[4];
    loop.locate(i, at);
    Lanes<V> lanes = load<V>(a + at[1]);
    const Lanes<V> other = load<V>(b + at[2]), result = load<V>(y + at[3]);
#pragma unroll
    for (int lane = 0; lane < V; ++lane)
      lanes.at[lane] = result.at[lane] > 0.0f ? lanes.at[lane] + other.at[lane] : 0.0f;
    store(dx + at[0], lanes);
  }
}

template <int V, typename T>
__global__ void affineKernel(int64_t groups, Divider perRow, Activation activation, const T* x, int64_t xStride,
                             const float* scale, const float* shift, const T* residual, int64_t residualStride, T* y,
                             int64_t yStride) {
  for (int64_t i = globalThread(); i < groups; i += globalThreads()) {
    int64_t row = i;
    const int64_t channel = perRow.split(row) * V;
    Lanes<V> lanes = load<V>(x + row * xStride + channel);
    const Lanes<V> factor = load<V>(scale + channel), offset = load<V>(shift + channel);
    const Lanes<V> added = residual ? load<V>(residual + row * residualStride + channel) : filled<V>(0.0f);
#pragma unroll
    for (int lane = 0; lane < V; ++lane)
      lanes.at[lane] = activate(activation, lanes.at[lane] * factor.at[lane] + offset.at[lane] + added.at[lane]);
    store(y + row * yStride + channel, lanes);
  }
}

struct PadLoop {
  int64_t groups;
  Divider extents[4];  ///< outermost first, the innermost in groups
  int64_t begin[4], xExtents[4], xStrides[4];
};

template <int V, typename T>
__global__ void padKernel(PadLoop loop, const T* x, T* y) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    int64_t rest = i, at = 0;
    bool inside = true;
#pragma unroll
    for (int axis = 3; axis >= 0; --axis) {
      const int64_t index = loop.extents[axis].split(rest) * (axis == 3 ? V : 1) - loop.begin[axis];
      inside = inside && index >= 0 && index < loop.xExtents[axis];
      at += index * loop.xStrides[axis];
    }
    store(y + i * V, inside ? load<V>(x + at) : filled<V>(0.0f));
  }
}

}  // namespace

void mapElements(const Launcher& launcher, const LoopShape& shape, Map map, float scale, const LoopOperand& y,
                 void* yData, const LoopOperand& x, const void* xData) {
  const auto loop = makeStridedLoop<2>(shape.axes, shape.extents.data(), {y.strides, x.strides}, {yData, xData},
                                       {sizeOf(y.dtype), sizeOf(x.dtype)});
  withElement(y.dtype, [&]<typename Y>(Y*) {
    withElement(x.dtype, [&]<typename X>(X*) {
      withLanes(loop.lanes, [&](auto lanes) {
        launch(mapKernel<lanes.value, Y, X>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop, map, scale,
               static_cast<Y*>(yData), static_cast<const X*>(xData));
      });
    });
  });
}

void pairElements(const Launcher& launcher, const LoopShape& shape, Pair pair, Activation activation,
                  const LoopOperand& y, void* yData, const LoopOperand& a, const void* aData, const LoopOperand& b,
                  const void* bData) {
  invariant(y.dtype == a.dtype, "the result has the first operand's dtype");
  const auto loop = makeStridedLoop<3>(shape.axes, shape.extents.data(), {y.strides, a.strides, b.strides},
                                       {yData, aData, bData}, {sizeOf(y.dtype), sizeOf(a.dtype), sizeOf(b.dtype)});
  withElement(a.dtype, [&]<typename A>(A*) {
    withElement(b.dtype, [&]<typename B>(B*) {
      withLanes(loop.lanes, [&](auto lanes) {
        launch(pairKernel<lanes.value, A, B>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop, pair,
               activation, static_cast<A*>(yData), static_cast<const A*>(aData), static_cast<const B*>(bData));
      });
    });
  });
}

void pairArrays(const Launcher& launcher, Pair pair, Activation activation, std::span<const PairArrays> pairs) {
  std::vector<UpdateMember<3>> members;
  for (const PairArrays& p : pairs)
    members.push_back({{p.y, const_cast<float*>(p.a), const_cast<float*>(p.b)}, p.elements, p.repeatsB});
  launchUpdates<3>(launcher, members, PairUpdate{pair, activation});
}

void reluGradientOfSum(const Launcher& launcher, const LoopShape& shape, DType dtype,
                       const std::array<LoopOperand, 4>& operands, void* dx, const void* a, const void* b,
                       const void* y) {
  const int64_t bytes = sizeOf(dtype);
  const auto& [to, left, right, result] = operands;
  const auto loop =
      makeStridedLoop<4>(shape.axes, shape.extents.data(), {to.strides, left.strides, right.strides, result.strides},
                         {dx, a, b, y}, {bytes, bytes, bytes, bytes});
  withElement(dtype, [&]<typename T>(T*) {
    withLanes(loop.lanes, [&](auto lanes) {
      launch(reluGradientOfSumKernel<lanes.value, T>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop,
             static_cast<T*>(dx), static_cast<const T*>(a), static_cast<const T*>(b), static_cast<const T*>(y));
    });
  });
}

void affineRows(const Launcher& launcher, const AffineRows& a, const void* x, const float* scale, const float* shift,
                const void* residual, void* y) {
  const int64_t bytes = sizeOf(a.dtype);
  const int width = laneCount(a.channels, {{x, a.xStride, bytes},
                                           {y, a.yStride, bytes},
                                           {residual, a.residualStride, bytes},
                                           {scale, 0, 4},
                                           {shift, 0, 4}});
  const int64_t perRow = a.channels / width, groups = a.rows * perRow;
  withElement(a.dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(affineKernel<lanes.value, T>, launcher.blocksFor(groups), kBlock, 0, launcher, groups,
             Divider(std::max<int64_t>(perRow, 1), groups), a.activation, static_cast<const T*>(x), a.xStride, scale,
             shift, static_cast<const T*>(residual), a.residualStride, static_cast<T*>(y), a.yStride);
    });
  });
}

void padElements(const Launcher& launcher, const PadBox& box, const void* x, void* y) {
  const int64_t bytes = sizeOf(box.dtype);
  // The box's edges, too, must lie between groups.
  int width = laneCount(box.extents[3], {{x, box.xStrides[2], bytes}, {x, box.xStrides[1], bytes}, {y, 0, bytes}});
  while (box.begin[3] % width != 0 || box.xExtents[3] % width != 0 || box.xStrides[0] % width != 0) width /= 2;
  PadLoop loop;
  loop.groups = box.extents[0] * box.extents[1] * box.extents[2] * box.extents[3] / width;
  for (size_t axis = 0; axis < 4; ++axis) {
    loop.extents[axis] = Divider(std::max<int64_t>(box.extents[axis] / (axis == 3 ? width : 1), 1), loop.groups);
    loop.begin[axis] = box.begin[axis];
    loop.xExtents[axis] = box.xExtents[axis];
    loop.xStrides[axis] = box.xStrides[axis];
  }
  withElement(box.dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(padKernel<lanes.value, T>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop,
             static_cast<const T*>(x), static_cast<T*>(y));
    });
  });
}

}  // namespace jcs::cuda
