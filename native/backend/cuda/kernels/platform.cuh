#pragma once

#include <cuda_bf16.h>

#include <string>

#include "backend/cuda/kernels/launcher.h"

#ifdef __CUDACC__
#include "core/error.h"
#else
#include "emulation.h"  // test builds run the same kernels on the host (test/cuda_emulation)
#endif

/// What kernels and their launchers use of CUDA, beside threadIdx and its like, barriers and shuffles: everything that
/// the host emulation of the tests has to provide. Grids and blocks have one dimension. Shared memory is dynamic, so
/// that its size is one number, which the emulation checks accesses against.
namespace jcs::cuda {

constexpr int kWarp = 32;

#ifdef __CUDACC__

/// Starts `kernel`; a grid without blocks is nothing to do.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), int64_t blocks, int threads, int64_t sharedBytes, const Launcher& launcher,
            const Arguments&... arguments) {
  if (blocks == 0) return;
  kernel<<<dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads)), static_cast<size_t>(sharedBytes),
           launcher.stream>>>(Parameters(arguments)...);
  const cudaError_t status = cudaGetLastError();
  if (status == cudaErrorMemoryAllocation)
    fail(errors::kOutOfMemory, "the GPU has no memory left to start a kernel; use a smaller batch or image");
  if (status != cudaSuccess)
    fail(errors::kInternal, std::string("CUDA refused to start a kernel: ") + cudaGetErrorString(status) +
                                "; please report this with the output of nvidia-smi");
}

/// The block's shared memory, 16-byte aligned.
template <typename T>
__device__ T* sharedMemory() {
  extern __shared__ __align__(16) unsigned char jcsSharedMemory[];
  return reinterpret_cast<T*>(jcsSharedMemory);
}

#else

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), int64_t blocks, int threads, int64_t sharedBytes, const Launcher& launcher,
            const Arguments&... arguments) {
  cuda_emulation::runGrid(*launcher.stream, blocks, threads, sharedBytes, [&] { kernel(Parameters(arguments)...); });
}

template <typename T>
T* sharedMemory() {
  return reinterpret_cast<T*>(cuda_emulation::sharedMemory());
}

#endif

/// The thread's place in the grid, and the grid's size.
__device__ inline int64_t globalThread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t globalThreads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

}  // namespace jcs::cuda
