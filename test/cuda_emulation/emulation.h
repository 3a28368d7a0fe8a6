#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

/// CUDA's execution model on the host, so that the kernels of the CUDA backend can be run, and looked into by
/// sanitizers, on machines without a GPU. The threads of a block are fibers of one thread of the host; a barrier parks
/// them. What a GPU would leave undefined is made to show:
///
/// - shared memory is NaN when a block starts, and is exactly as large as the launch says;
/// - a barrier or shuffle that not all threads reach at the same place in the source is an error;
/// - between two barriers threads run one after another, in an order that can be chosen: results of kernels that lack a
///   barrier differ between orders.
namespace cuda_emulation {

/// The order in which the blocks of a grid run, and the threads of a block between barriers.
enum class Order { kForward, kReverse, kShuffled };

struct Stream {
  Order order = Order::kForward;
};

/// Runs `kernel` once for each thread of the grid. Throws jcs::Error, INTERNAL, for a barrier that not all threads
/// reach.
void runGrid(const Stream& stream, int64_t blocks, int threads, int64_t sharedBytes,
             const std::function<void()>& kernel);

/// Of the block that runs.
std::byte* sharedMemory();
/// Parks the thread until all of its block are at this place.
void barrier(const char* file, int line);
/// Publishes eight bytes to the warp, waits for all its lanes to do so at this place, and gives those of `lane`.
uint64_t exchange(uint64_t value, int lane, const char* file, int line);
int laneOfThread();

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

template <typename T>
T shuffle(T value, int lane, const char* file, int line) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(bits, lane, file, line);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace cuda_emulation

inline thread_local cuda_emulation::Index threadIdx, blockIdx, blockDim, gridDim;

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __syncthreads() ::cuda_emulation::barrier(__FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, bits) \
  ::cuda_emulation::shuffle(value, ::cuda_emulation::laneOfThread() ^ (bits), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, distance) \
  ::cuda_emulation::shuffle(value, ::cuda_emulation::laneOfThread() + (distance), __FILE__, __LINE__)
