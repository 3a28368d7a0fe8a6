#include "core/host_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "core/alignment.h"

namespace jcs {

namespace {

/// The sanitizers watch the ends of what their own allocator gave, and of nothing else.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMapsLarge = false;
#else
constexpr bool kMapsLarge = true;
#endif

/// From here on faults for all pages cost little beside what is done with them.
constexpr int64_t kMappedBytes = 256 << 10;

bool isMapped(int64_t bytes) { return kMapsLarge && bytes >= kMappedBytes; }

bool isAlignedToHugePages(int64_t bytes) { return bytes >= 2 * kHugePageBytes; }

size_t mappedBytes(int64_t bytes) {
  constexpr int64_t kPageBytes = 4096;
  return static_cast<size_t>(roundUp(bytes, isAlignedToHugePages(bytes) ? kHugePageBytes : kPageBytes));
}

std::byte* map(size_t bytes) noexcept {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

/// Maps a huge page more than it takes, and gives back what lies before and behind the aligned part.
std::byte* mapAligned(size_t bytes) noexcept {
  constexpr auto kAlignment = static_cast<size_t>(kHugePageBytes);
  std::byte* const first = map(bytes + kAlignment);
  if (first == nullptr) return nullptr;
  const size_t before = (kAlignment - reinterpret_cast<uintptr_t>(first) % kAlignment) % kAlignment;
  if (before > 0) ::munmap(first, before);
  ::munmap(first + before + bytes, kAlignment - before);
  return first + before;
}

/// Moving pages at once would override whoever has turned huge ones off.
bool systemGivesHugePages() noexcept {
  std::array<char, 64> text{};
  const int file = ::open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
  const ssize_t count = file < 0 ? 0 : ::read(file, text.data(), text.size());
  if (file >= 0) ::close(file);
  return count > 0 &&
         std::string_view(text.data(), static_cast<size_t>(count)).find("[never]") == std::string_view::npos;
}

}  // namespace

std::byte* allocateHostMemory(int64_t bytes) noexcept {
  if (isMapped(bytes)) return isAlignedToHugePages(bytes) ? mapAligned(mappedBytes(bytes)) : map(mappedBytes(bytes));
  const auto rounded = static_cast<size_t>(alignedUp(std::max<int64_t>(bytes, 1)));
  return static_cast<std::byte*>(std::aligned_alloc(kMemoryAlignment, rounded));
}

void freeHostMemory(std::byte* memory, int64_t bytes) noexcept {
  if (memory == nullptr) return;
  if (isMapped(bytes))
    ::munmap(memory, mappedBytes(bytes));
  else
    std::free(memory);
}

bool useHugePages(std::byte* memory, int64_t bytes) noexcept {
  static const bool areGiven = systemGivesHugePages();
  return areGiven && isMapped(bytes) && isAlignedToHugePages(bytes) &&
         ::madvise(memory, mappedBytes(bytes), MADV_HUGEPAGE) == 0;
}

bool gatherHugePage(std::byte* begin) noexcept {
  constexpr int kCollapse = 25;  // MADV_COLLAPSE of Linux 6.1, which the headers of older systems lack
  return ::madvise(begin, static_cast<size_t>(kHugePageBytes), kCollapse) == 0;
}

}  // namespace jcs
