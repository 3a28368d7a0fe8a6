#pragma once

#include <array>

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

/// How far each operand advances for a step along each axis of a loop, outermost axis first; 0 where it repeats.
constexpr int kMaxAxes = 4;
using AxisStrides = std::array<int64_t, kMaxAxes>;

/// A loop nest over up to four axes of which those that lie behind one another in every operand were merged. The
/// innermost is walked in groups of lanes: contiguous (stride 1) or constant (0) in every operand when there are more
/// than one.
template <int kOperands>
struct StridedLoop {
  int64_t groups = 0;         ///< of lanes, altogether
  int axes = 1;               ///< innermost first
  Divider extents[kMaxAxes];  ///< in groups, along the innermost
  int64_t strides[kOperands][kMaxAxes] = {};
  int lanes = 1;
  bool constant[kOperands] = {};  ///< along the innermost axis

  /// Where group `i` begins in each operand.
  __device__ void locate(int64_t i, int64_t (&at)[kOperands]) const {
#pragma unroll
    for (int k = 0; k < kOperands; ++k) at[k] = 0;
#pragma unroll
    for (int axis = 0; axis < kMaxAxes; ++axis) {
      if (axis >= axes) break;
      const int64_t index = axis == axes - 1 ? i : extents[axis].split(i);
#pragma unroll
      for (int k = 0; k < kOperands; ++k) at[k] += index * strides[k][axis];
    }
  }
};

/// `extents` and `strides` outermost first; `axes` of them count. `bases` and `elementBytes`, of every operand, decide
/// how many lanes there can be.
template <int kOperands>
StridedLoop<kOperands> makeStridedLoop(int axes, const int64_t* extents,
                                       const std::array<AxisStrides, kOperands>& strides,
                                       const std::array<const void*, kOperands>& bases,
                                       const std::array<int64_t, kOperands>& elementBytes) {
  // Innermost first; an axis joins the one inside it when every operand steps over it as over one longer axis.
  int64_t merged[kMaxAxes] = {1};
  int64_t steps[kOperands][kMaxAxes] = {};
  int count = 0;
  int64_t elements = 1;
  for (int axis = axes - 1; axis >= 0; --axis) {
    elements *= extents[axis];
    if (extents[axis] == 1) continue;
    bool joins = count > 0;
    for (int k = 0; joins && k < kOperands; ++k)
      joins = strides[static_cast<size_t>(k)][static_cast<size_t>(axis)] == merged[count - 1] * steps[k][count - 1];
    if (joins) {
      merged[count - 1] *= extents[axis];
      continue;
    }
    merged[count] = extents[axis];
    for (int k = 0; k < kOperands; ++k) steps[k][count] = strides[static_cast<size_t>(k)][static_cast<size_t>(axis)];
    ++count;
  }

  StridedLoop<kOperands> loop;
  if (elements == 0) return loop;
  loop.axes = std::max(count, 1);
  int64_t smallest = 4;
  for (int64_t bytes : elementBytes) smallest = std::min(smallest, bytes);
  for (loop.lanes = static_cast<int>(16 / smallest); loop.lanes > 1; loop.lanes /= 2) {
    bool fits = count > 0 && merged[0] % loop.lanes == 0;
    for (int k = 0; fits && k < kOperands; ++k) {
      if (steps[k][0] == 0) continue;
      const int64_t bytes = elementBytes[static_cast<size_t>(k)];
      fits = steps[k][0] == 1 && reinterpret_cast<uintptr_t>(bases[static_cast<size_t>(k)]) %
                                         static_cast<uintptr_t>(std::min<int64_t>(16, loop.lanes * bytes)) ==
                                     0;
      for (int axis = 1; axis < count; ++axis) fits = fits && steps[k][axis] % loop.lanes == 0;
    }
    if (fits) break;
  }
  loop.groups = elements / loop.lanes;
  for (int axis = 0; axis < loop.axes; ++axis) {
    const int64_t width = axis == 0 ? loop.lanes : 1;
    loop.extents[axis] = Divider(merged[axis] / width, loop.groups);
    for (int k = 0; k < kOperands; ++k) loop.strides[k][axis] = steps[k][axis] * width;
  }
  for (int k = 0; k < kOperands; ++k) loop.constant[k] = steps[k][0] == 0;
  return loop;
}

/// V lanes of an operand at `at`, or V times its one element there.
template <int V, typename T>
__device__ inline Lanes<V> loadOrRepeat(const T* from, bool constant) {
  if (V > 1 && constant) return filled<V>(toFloat(*from));
  return load<V>(from);
}

}  // namespace jcs::cuda
