#pragma once

#include "backend/cuda/cuda_device.h"
#include "backend/cuda/kernels/elementwise.h"

namespace jcs::cuda {

inline Launcher launcherOf(const CudaDevice& device) { return {device.stream, device.multiprocessors}; }

inline LoopShape loopShape(const Shape& shape) {
  LoopShape loop;
  loop.axes = shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis) loop.extents[static_cast<size_t>(axis)] = shape[axis];
  return loop;
}

/// How the operand advances along the axes of `target`, to which it broadcasts: 0 where it repeats or has extent 1.
inline LoopOperand loopOperand(const Operand& operand, const Shape& target) {
  const Shape& shape = operand.type.shape;
  LoopOperand result{operand.type.dtype, {}};
  int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (axis == shape.rank() - 2) stride = operand.rowStride;
    result.strides[static_cast<size_t>(axis + target.rank() - shape.rank())] = shape[axis] == 1 ? 0 : stride;
    if (axis < shape.rank() - 1) stride *= shape[axis];
  }
  return result;
}

/// The libraries' workspaces are aligned as cudaMalloc aligns, scratch is to 64 bytes: what a kernel asks for on top.
inline constexpr int64_t kWorkspaceAlignment = 256, kWorkspaceSlack = kWorkspaceAlignment - kMemoryAlignment;
inline std::byte* alignedWorkspace(std::byte* scratch) {
  const auto address = reinterpret_cast<uintptr_t>(scratch);
  return scratch + (kWorkspaceAlignment - address % kWorkspaceAlignment) % kWorkspaceAlignment;
}

inline bool anyOperandStrided(const Op&, bool, int) { return true; }

}  // namespace jcs::cuda
