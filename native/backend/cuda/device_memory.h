#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "backend/cuda/cuda_device.h"

namespace jcs::cuda {

/// The memory of a device that all programs and models of the process share: a pool of the CUDA driver's, in the order
/// of one stream, so that what is released may still be in use by work that was enqueued before.
class DeviceMemory {
 public:
  DeviceMemory(int device, cudaStream_t stream);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// OUT_OF_MEMORY with requested and free bytes.
  std::byte* allocate(int64_t bytes);
  void release(std::byte* memory, int64_t bytes) noexcept;
  /// At most that much at a time; 0: what the device has.
  void limit(int64_t bytes) { limit_ = bytes; }
  int64_t freeBytes() const;
  int64_t usedBytes() const { return used_; }
  /// While it is held nothing is allocated or released: it would become part of what the stream is recording.
  std::unique_lock<std::mutex> holdStill() { return std::unique_lock(mutex_); }

 private:
  static constexpr int64_t kReservedBytes = int64_t{512} << 20, kReservedParts = 50;

  std::mutex mutex_;
  int device_;
  cudaStream_t stream_;
  cudaMemPool_t pool_ = nullptr;
  std::atomic<int64_t> used_{0}, limit_{0};
};

/// Transfers through pinned memory, in pieces: while one piece crosses the bus, the host copies the next. Uploads cross
/// on a stream of their own into memory of the device's, beside whatever kernels run, and are put in their place when
/// these are done.
class Transfers {
 public:
  Transfers(DeviceMemory& memory, cudaStream_t compute);
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  /// Returns when `host` may be overwritten.
  void upload(std::byte* device, const std::byte* host, int64_t bytes);
  /// Returns when `host` is complete.
  void download(std::byte* host, const std::byte* device, int64_t bytes);

 private:
  /// Larger transfers are cut; smaller ones than `kSmall` go the driver's own way, which copies them at once.
  static constexpr int64_t kPieceBytes = int64_t{16} << 20, kSmall = 64 << 10;

  struct Slot {
    std::byte* pinned = nullptr;
    std::byte* device = nullptr;
    cudaEvent_t arrived = nullptr;  ///< pinned memory is free again: the piece crossed the bus
    cudaEvent_t placed = nullptr;   ///< device memory is free again
  };
  void open();
  void close() noexcept;

  DeviceMemory& memory_;
  cudaStream_t compute_, copies_ = nullptr;
  std::array<Slot, 2> slots_;
};

}  // namespace jcs::cuda
