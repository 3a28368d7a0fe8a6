#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace jcs::cuda {

/// Host memory that the device reads by itself, kept for the next who asks: pinning takes longer than filling it.
class PinnedMemory : public std::enable_shared_from_this<PinnedMemory> {
 public:
  explicit PinnedMemory(int device) : device_(device) {}
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  /// On any thread. Empty when the system pins no more.
  std::shared_ptr<std::byte> acquire(int64_t bytes);
  /// Enqueues the transfer; false when `host` is not the beginning of memory of this pool.
  bool upload(std::byte* device, const std::byte* host, int64_t bytes, cudaStream_t stream);

 private:
  struct Block {
    int64_t bytes = 0;
    bool isFree = true;
    cudaEvent_t read = nullptr;  ///< of its last transfer
  };
  void release(std::byte* memory) noexcept;

  static constexpr int64_t kSmallestBytes = int64_t{1} << 20, kKeptBytes = int64_t{1} << 30;

  int device_;
  std::mutex mutex_;
  std::map<const std::byte*, Block> blocks_;
};

}  // namespace jcs::cuda
