#pragma once

#include <cuda_runtime_api.h>

#include "backend/registry.h"

namespace jcs::cuda {

class ConvolutionPlans;
class CuBlasLt;

/// What every kernel of this backend is prepared with. Kernels enqueue on `stream` and on nothing else, in order; they
/// neither wait nor allocate when they run, so that a whole program can be recorded from the stream.
struct CudaDevice {
  int index = 0;
  int computeCapability = 0;  ///< 90: sm_90
  int multiprocessors = 0;
  int64_t sharedBytesPerBlock = 0;  ///< what a block may opt in to
  int64_t l2Bytes = 0;
  cudaStream_t stream = nullptr;
  ConvolutionPlans* convolutions = nullptr;
  CuBlasLt* blas = nullptr;
};

using Prepare = Preparation<CudaDevice>;
using Registry = KernelRegistry<CudaDevice>;

// One function per kernel file adds that file's ops.
void registerBatchNorm(Registry& registry);
void registerCommunication(Registry& registry);
void registerConv2d(Registry& registry);
void registerConv2dGradient(Registry& registry);
void registerElementwise(Registry& registry);
void registerImages(Registry& registry);
void registerLayout(Registry& registry);
void registerLoss(Registry& registry);
void registerMatmul(Registry& registry);
void registerOptimizer(Registry& registry);
void registerPool(Registry& registry);
void registerReduce(Registry& registry);
void registerResize(Registry& registry);

/// A failed call of the CUDA runtime becomes an error of ours that names the call.
[[noreturn]] void failCuda(cudaError_t status, const char* call);
inline void checkCuda(cudaError_t status, const char* call) {
  if (status != cudaSuccess) [[unlikely]]
    failCuda(status, call);
}

}  // namespace jcs::cuda
