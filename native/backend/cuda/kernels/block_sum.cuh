#pragma once

#include "backend/cuda/kernels/platform.cuh"

namespace jcs::cuda {

/// Combines one value of each thread of a block of whole warps in a fixed order; every thread gets the result. `shared`
/// holds one value for each warp.
template <typename T, typename Combine>
__device__ inline T blockReduce(T value, T* shared, const Combine& combine) {
#pragma unroll
  for (int bits = kWarp / 2; bits > 0; bits /= 2) value = combine(value, __shfl_xor_sync(0xffffffffu, value, bits));
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  if (warps == 1) return value;
  __syncthreads();  // what the block still reads of an earlier reduction
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = shared[0];
  for (int warp = 1; warp < warps; ++warp) value = combine(value, shared[warp]);
  return value;
}

struct Plus {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
/// A NaN wins.
struct Least {
  __device__ float operator()(float a, float b) const { return a < b || a != a ? a : b; }
};
struct Greatest {
  __device__ float operator()(float a, float b) const { return a > b || a != a ? a : b; }
};

}  // namespace jcs::cuda
