#include "backend/cuda/device_check.h"

namespace jcs::cuda {

namespace {

std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version / 10 % 100);
}

}  // namespace

std::string reasonAgainst(const MachineState& machine) {
  if (machine.driverVersion == 0)
    return "there is no NVIDIA driver (libcuda.so.1); on a machine with an NVIDIA GPU install its driver, in a "
           "container pass the GPU through (`--gpus all`)";
  if (machine.driverVersion / 1000 < machine.runtimeVersion / 1000)
    return "the NVIDIA driver knows CUDA up to " + versionText(machine.driverVersion) + " and this build needs " +
           std::to_string(machine.runtimeVersion / 1000) + ".0; install a newer driver";
  if (machine.status == cudaErrorNoDevice || (machine.status == cudaSuccess && machine.devices == 0))
    return "the NVIDIA driver finds no GPU; check `nvidia-smi`, and that CUDA_VISIBLE_DEVICES does not hide it";
  if (machine.status != cudaSuccess)
    return "the NVIDIA driver does not start (" + machine.statusText + "); check `nvidia-smi`";
  return "";
}

std::string reasonAgainstDevice(const MachineState& machine, int index, int computeCapability, bool memoryPools,
                                bool hasKernels) {
  if (index >= machine.devices)
    return "there " +
           std::string(machine.devices == 1 ? "is 1 GPU" : "are " + std::to_string(machine.devices) + " GPUs") +
           ", numbered from 0";
  const std::string capability = "the GPU has compute capability " + std::to_string(computeCapability / 10) + "." +
                                 std::to_string(computeCapability % 10);
  if (computeCapability < kMinimumComputeCapability) return capability + ", and 7.5 (Turing) or newer is needed";
  if (!hasKernels)
    return capability + ", for which this build has no kernels; build with -DJCS_CUDA_ARCHITECTURES=" +
           std::to_string(computeCapability);
  if (!memoryPools) return "the driver offers no memory pools for this GPU; install a newer driver";
  return "";
}

}  // namespace jcs::cuda
