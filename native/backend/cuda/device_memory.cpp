#include "backend/cuda/device_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

namespace jcs::cuda {

namespace {

std::string bytesText(int64_t bytes) {
  char text[64];
  std::snprintf(text, sizeof text, "%lld bytes (%.2f GiB)", static_cast<long long>(bytes),
                static_cast<double>(bytes) / (1 << 30));
  return text;
}

int64_t poolAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute) {
  uint64_t value = 0;
  checkCuda(cudaMemPoolGetAttribute(pool, attribute, &value), "cudaMemPoolGetAttribute");
  return static_cast<int64_t>(value);
}

}  // namespace

DeviceMemory::DeviceMemory(int device, cudaStream_t stream) : device_(device), stream_(stream) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  checkCuda(cudaMemPoolCreate(&pool_, &properties), "cudaMemPoolCreate");
  // What is released stays with the process for the next program; `allocate` gives it back when it is short.
  uint64_t keep = std::numeric_limits<uint64_t>::max();
  checkCuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep), "cudaMemPoolSetAttribute");
}

DeviceMemory::~DeviceMemory() {
  cudaStreamSynchronize(stream_);
  cudaMemPoolDestroy(pool_);
}

std::byte* DeviceMemory::allocate(int64_t bytes) {
  invariant(bytes >= 0, "a negative number of bytes is allocated");
  const std::lock_guard lock(mutex_);
  const int64_t limit = limit_;
  void* memory = nullptr;
  if (limit == 0 || used_ + bytes <= limit) {
    const auto size = static_cast<size_t>(std::max<int64_t>(bytes, 1));
    cudaError_t status = cudaMallocFromPoolAsync(&memory, size, pool_, stream_);
    if (status == cudaErrorMemoryAllocation) {
      // What the pool keeps may be in pieces too small: give it back and ask the device again.
      cudaGetLastError();
      checkCuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
      checkCuda(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
      status = cudaMallocFromPoolAsync(&memory, size, pool_, stream_);
    }
    if (status == cudaSuccess) {
      used_ += bytes;
      return static_cast<std::byte*>(memory);
    }
    cudaGetLastError();
    if (status != cudaErrorMemoryAllocation) failCuda(status, "cudaMallocFromPoolAsync");
  }
  fail(errors::kOutOfMemory,
       "device 'cuda:" + std::to_string(device_) + "' has no room for " + bytesText(bytes) + ": " +
           bytesText(freeBytes()) + " are free" + (limit ? " under memoryLimitBytes " + std::to_string(limit) : "") +
           "; use a smaller batch or image, dispose of models that are not needed, or free memory of other processes");
}

void DeviceMemory::release(std::byte* memory, int64_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  cudaFreeAsync(memory, stream_);
  used_ -= bytes;
}

int64_t DeviceMemory::freeBytes() const {
  size_t free = 0, total = 0;
  checkCuda(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  const int64_t kept =
      poolAttribute(pool_, cudaMemPoolAttrReservedMemCurrent) - poolAttribute(pool_, cudaMemPoolAttrUsedMemCurrent);
  // Libraries load kernels and drivers grow stacks beside what programs are planned for.
  const int64_t reserved = std::max(kReservedBytes, static_cast<int64_t>(total) / kReservedParts);
  const int64_t available = std::max<int64_t>(0, static_cast<int64_t>(free) + kept - reserved), limit = limit_;
  return limit == 0 ? available : std::clamp<int64_t>(limit - used_, 0, available);
}

Transfers::Transfers(DeviceMemory& memory, cudaStream_t compute) : memory_(memory), compute_(compute) {}

Transfers::~Transfers() { close(); }

void Transfers::open() {
  if (copies_) return;
  try {
    for (Slot& slot : slots_) {
      checkCuda(cudaMallocHost(reinterpret_cast<void**>(&slot.pinned), kPieceBytes), "cudaMallocHost");
      slot.device = memory_.allocate(kPieceBytes);
      checkCuda(cudaEventCreateWithFlags(&slot.arrived, cudaEventDisableTiming), "cudaEventCreate");
      checkCuda(cudaEventCreateWithFlags(&slot.placed, cudaEventDisableTiming), "cudaEventCreate");
    }
    // The slots' device memory is usable in the order of the compute stream.
    checkCuda(cudaStreamSynchronize(compute_), "cudaStreamSynchronize");
    checkCuda(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "cudaStreamCreate");
  } catch (...) {
    close();
    throw;
  }
}

void Transfers::close() noexcept {
  if (copies_) {
    cudaStreamSynchronize(copies_);
    cudaStreamDestroy(copies_);
    copies_ = nullptr;
  }
  for (Slot& slot : slots_) {
    if (slot.arrived) cudaEventDestroy(slot.arrived);
    if (slot.placed) cudaEventDestroy(slot.placed);
    if (slot.device) memory_.release(slot.device, kPieceBytes);
    if (slot.pinned) cudaFreeHost(slot.pinned);
    slot = {};
  }
}

void Transfers::upload(std::byte* device, const std::byte* host, int64_t bytes) {
  if (bytes <= kSmall) {
    checkCuda(cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, compute_),
              "cudaMemcpyAsync");
    return;
  }
  open();
  for (int64_t begin = 0, piece = 0; begin < bytes; begin += kPieceBytes, ++piece) {
    Slot& slot = slots_[static_cast<size_t>(piece % 2)];
    const auto size = static_cast<size_t>(std::min(kPieceBytes, bytes - begin));
    checkCuda(cudaEventSynchronize(slot.arrived), "cudaEventSynchronize");
    std::memcpy(slot.pinned, host + begin, size);
    checkCuda(cudaStreamWaitEvent(copies_, slot.placed), "cudaStreamWaitEvent");
    checkCuda(cudaMemcpyAsync(slot.device, slot.pinned, size, cudaMemcpyHostToDevice, copies_), "cudaMemcpyAsync");
    checkCuda(cudaEventRecord(slot.arrived, copies_), "cudaEventRecord");
    checkCuda(cudaStreamWaitEvent(compute_, slot.arrived), "cudaStreamWaitEvent");
    checkCuda(cudaMemcpyAsync(device + begin, slot.device, size, cudaMemcpyDeviceToDevice, compute_),
              "cudaMemcpyAsync");
    checkCuda(cudaEventRecord(slot.placed, compute_), "cudaEventRecord");
  }
}

void Transfers::download(std::byte* host, const std::byte* device, int64_t bytes) {
  if (bytes <= kSmall) {
    checkCuda(cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, compute_),
              "cudaMemcpyAsync");
    checkCuda(cudaStreamSynchronize(compute_), "cudaStreamSynchronize");
    return;
  }
  open();
  const int64_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  const auto sizeOfPiece = [&](int64_t piece) {
    return static_cast<size_t>(std::min(kPieceBytes, bytes - piece * kPieceBytes));
  };
  for (int64_t piece = 0; piece <= pieces; ++piece) {
    if (piece < pieces) {
      Slot& slot = slots_[static_cast<size_t>(piece % 2)];
      checkCuda(cudaEventSynchronize(slot.arrived), "cudaEventSynchronize");  // of an upload before
      checkCuda(cudaMemcpyAsync(slot.pinned, device + piece * kPieceBytes, sizeOfPiece(piece), cudaMemcpyDeviceToHost,
                                compute_),
                "cudaMemcpyAsync");
      checkCuda(cudaEventRecord(slot.arrived, compute_), "cudaEventRecord");
    }
    if (piece == 0) continue;
    const Slot& slot = slots_[static_cast<size_t>((piece - 1) % 2)];
    checkCuda(cudaEventSynchronize(slot.arrived), "cudaEventSynchronize");
    std::memcpy(host + (piece - 1) * kPieceBytes, slot.pinned, sizeOfPiece(piece - 1));
  }
}

}  // namespace jcs::cuda
