#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>

namespace jcs::cuda {

constexpr int kBlock = 256;  ///< threads of a block, unless a kernel says otherwise

/// Where kernels are started: a stream and the size of its device.
struct Launcher {
  cudaStream_t stream;
  int multiprocessors;

  /// Blocks for a grid-stride loop over `items`: as many as there are items for, up to some waves of the device.
  int64_t blocksFor(int64_t items, int threads = kBlock) const {
    return std::min<int64_t>((items + threads - 1) / threads, int64_t{16} * multiprocessors);
  }
};

}  // namespace jcs::cuda
