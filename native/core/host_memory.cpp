#include "core/host_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "core/alignment.h"

namespace jcs {

namespace {

/// The sanitizers see reads beyond the end of what their allocator gave, only.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMapsLarge = false;
#else
constexpr bool kMapsLarge = true;
#endif

bool isLarge(int64_t bytes) { return kMapsLarge && bytes >= 2 * kHugePageBytes; }

size_t mappedBytes(int64_t bytes) { return static_cast<size_t>(roundUp(bytes, kHugePageBytes)); }

/// Maps a huge page more than it takes, and gives back what lies before and behind the aligned part.
std::byte* mapAligned(size_t bytes) noexcept {
  constexpr auto kAlignment = static_cast<size_t>(kHugePageBytes);
  void* const mapped = ::mmap(nullptr, bytes + kAlignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const first = static_cast<std::byte*>(mapped);
  const size_t before = (kAlignment - reinterpret_cast<uintptr_t>(first) % kAlignment) % kAlignment;
  if (before > 0) ::munmap(first, before);
  ::munmap(first + before + bytes, kAlignment - before);
  return first + before;
}

}  // namespace

std::byte* allocateHostMemory(int64_t bytes, bool huge) noexcept {
  if (!isLarge(bytes))
    return static_cast<std::byte*>(
        std::aligned_alloc(kMemoryAlignment, static_cast<size_t>(alignedUp(std::max<int64_t>(bytes, 1)))));
  std::byte* const memory = mapAligned(mappedBytes(bytes));
  if (memory != nullptr && huge) ::madvise(memory, mappedBytes(bytes), MADV_HUGEPAGE);
  return memory;
}

void freeHostMemory(std::byte* memory, int64_t bytes) noexcept {
  if (memory == nullptr) return;
  if (isLarge(bytes))
    ::munmap(memory, mappedBytes(bytes));
  else
    std::free(memory);
}

}  // namespace jcs
