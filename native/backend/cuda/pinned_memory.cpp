#include "backend/cuda/pinned_memory.h"

#include <algorithm>
#include <bit>

#include "backend/cuda/cuda_device.h"

namespace jcs::cuda {

PinnedMemory::~PinnedMemory() {
  cudaSetDevice(device_);
  for (auto& [memory, block] : blocks_) {
    cudaEventSynchronize(block.read);
    cudaEventDestroy(block.read);
    cudaFreeHost(const_cast<std::byte*>(memory));
  }
}

std::shared_ptr<std::byte> PinnedMemory::acquire(int64_t bytes) {
  checkCuda(cudaSetDevice(device_), "cudaSetDevice");
  const int64_t size =
      std::max(kSmallestBytes, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(bytes, 1)))));
  const auto owned = [self = shared_from_this()](const std::byte* memory) {
    return std::shared_ptr<std::byte>(const_cast<std::byte*>(memory),
                                      [self](std::byte* released) { self->release(released); });
  };
  std::unique_lock lock(mutex_);
  for (auto& [memory, block] : blocks_) {
    if (!block.isFree || block.bytes != size) continue;
    block.isFree = false;
    const cudaEvent_t read = block.read;
    lock.unlock();
    checkCuda(cudaEventSynchronize(read), "cudaEventSynchronize");
    return owned(memory);
  }
  lock.unlock();
  void* memory = nullptr;
  Block block{size, false, nullptr};
  if (cudaMallocHost(&memory, static_cast<size_t>(size)) != cudaSuccess) {
    cudaGetLastError();  // the system's limit is no fault: whoever asks takes memory that is not pinned
    return nullptr;
  }
  if (const cudaError_t status = cudaEventCreateWithFlags(&block.read, cudaEventDisableTiming); status != cudaSuccess) {
    cudaFreeHost(memory);
    failCuda(status, "cudaEventCreate");
  }
  lock.lock();
  const auto place = blocks_.emplace(static_cast<std::byte*>(memory), block).first;
  lock.unlock();
  return owned(place->first);
}

void PinnedMemory::release(std::byte* memory) noexcept {
  const std::lock_guard lock(mutex_);
  int64_t kept = 0;
  for (const auto& [other, block] : blocks_) kept += block.isFree ? block.bytes : 0;
  const auto found = blocks_.find(memory);
  found->second.isFree = true;
  if (kept + found->second.bytes <= kKeptBytes) return;
  cudaSetDevice(device_);
  cudaEventSynchronize(found->second.read);
  cudaEventDestroy(found->second.read);
  cudaFreeHost(memory);
  blocks_.erase(found);
}

bool PinnedMemory::upload(std::byte* device, const std::byte* host, int64_t bytes, cudaStream_t stream) {
  cudaEvent_t read = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(host);
    if (found == blocks_.end()) return false;
    read = found->second.read;
  }
  checkCuda(cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream),
            "cudaMemcpyAsync");
  checkCuda(cudaEventRecord(read, stream), "cudaEventRecord");
  return true;
}

}  // namespace jcs::cuda
