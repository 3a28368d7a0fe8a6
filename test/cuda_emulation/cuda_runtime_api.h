#pragma once

#include <cstddef>
#include <cstring>

#include "emulation.h"

// What the sources of the CUDA backend that the tests run on the host take from CUDA's header of this name.
using cudaStream_t = cuda_emulation::Stream*;
enum cudaError_t { cudaSuccess = 0 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
