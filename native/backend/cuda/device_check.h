#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace jcs::cuda {

/// What the CUDA runtime says about this machine.
struct MachineState {
  int runtimeVersion = CUDART_VERSION;  ///< what this library was built with: 13000 is 13.0
  int driverVersion = 0;                ///< the newest CUDA that the driver knows; 0: there is no driver
  cudaError_t status = cudaSuccess;     ///< of counting the devices
  std::string statusText;
  int devices = 0;
};

/// Why no device can be used, with what to do about it; empty when one can.
std::string reasonAgainst(const MachineState& machine);
/// Why that device cannot be used.
std::string reasonAgainstDevice(const MachineState& machine, int index, int computeCapability, bool memoryPools,
                                bool hasKernels);

/// The oldest devices that there are kernels for: Turing.
inline constexpr int kMinimumComputeCapability = 75;

}  // namespace jcs::cuda
