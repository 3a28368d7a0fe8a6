#pragma once

#include <memory>

#include "backend/cuda/cuda_device.h"

namespace jcs::cuda {

/// A moment in the order of a stream's work.
using Event = std::unique_ptr<CUevent_st, cudaError_t (*)(cudaEvent_t)>;

inline Event recordEvent(cudaStream_t stream) {
  cudaEvent_t event = nullptr;
  checkCuda(cudaEventCreate(&event), "cudaEventCreate");
  Event owner(event, cudaEventDestroy);
  checkCuda(cudaEventRecord(event, stream), "cudaEventRecord");
  return owner;
}

/// Of two that both have come.
inline double secondsBetween(const Event& begin, const Event& end) {
  float milliseconds = 0;
  checkCuda(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "cudaEventElapsedTime");
  return milliseconds * 1e-3;
}

}  // namespace jcs::cuda
