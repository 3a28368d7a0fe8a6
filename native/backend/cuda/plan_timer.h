#pragma once

#include "backend/cuda/convolution.h"
#include "backend/cuda/device_memory.h"

namespace jcs::cuda {

/// Seconds of one execution of the plan on the device, of operands that are zero: the best of a few runs. Infinite
/// where it cannot be run: the device has no room for them, or the engine fails.
double secondsOf(const ExecutionPlan& plan, const ConvolutionProblem& problem, bool fused, DeviceMemory& memory,
                 cudaStream_t stream);

}  // namespace jcs::cuda
