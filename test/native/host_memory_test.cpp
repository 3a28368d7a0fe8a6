#include "core/host_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "core/alignment.h"
#include "native/harness.h"

using namespace jcs;

namespace {

bool isMapped(const std::byte* memory) {
  unsigned char resident = 0;
  return ::mincore(const_cast<std::byte*>(memory), static_cast<size_t>(::sysconf(_SC_PAGESIZE)), &resident) == 0 ||
         errno != ENOMEM;
}

/// What the system tells of the mapping that it begins, which is all there is of large memory, behind this word.
std::string mappingText(const std::string& word, const std::byte* memory) {
  std::ifstream maps("/proc/self/smaps");
  const auto address = reinterpret_cast<uintptr_t>(memory);
  bool isInside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &begin, &end) == 2) isInside = begin <= address && address < end;
    if (isInside && line.starts_with(word)) return line.substr(word.size());
  }
  return "-1";
}

int64_t hugePageBytes(const std::byte* memory) {
  return std::strtoll(mappingText("AnonHugePages:", memory).c_str(), nullptr, 10) << 10;
}

/// Whether the system gives them to those, and only those, who ask. qemu asks nobody.
bool givesHugePagesOnRequest() {
  std::ifstream setting("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string text;
  std::getline(setting, text);
  void* const memory = ::mmap(nullptr, kHugePageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::madvise(memory, kHugePageBytes, MADV_HUGEPAGE);
  const std::string flags = mappingText("VmFlags:", static_cast<std::byte*>(memory));
  ::munmap(memory, kHugePageBytes);
  return text.find("[madvise]") != std::string::npos && flags.find(" hg") != std::string::npos;
}

}  // namespace

TEST("host memory is aligned, may be written to its end, and is null where the system has none") {
  for (const int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{100}, int64_t{500'001}, kHugePageBytes,
                              2 * kHugePageBytes, 2 * kHugePageBytes + 1, 3 * kHugePageBytes - 1}) {
    std::byte* const memory = allocateHostMemory(bytes);
    CHECK(memory != nullptr);
    CHECK_EQUAL(reinterpret_cast<uintptr_t>(memory) % kMemoryAlignment, uintptr_t{0});
    std::memset(memory, 1, static_cast<size_t>(bytes));
    freeHostMemory(memory, bytes);
  }
  CHECK(allocateHostMemory(int64_t{1} << 60) == nullptr);
  freeHostMemory(nullptr, 1 << 30);
}

TEST(
    "host memory that is not small leaves the process when it is freed, and is aligned to huge pages when it is "
    "large") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  test::skip("the sanitizers' allocator has it");
#endif
  for (const int64_t bytes : {int64_t{500'001}, 2 * kHugePageBytes, 5 * kHugePageBytes + 3}) {
    std::byte* const memory = allocateHostMemory(bytes);
    if (bytes >= 2 * kHugePageBytes) CHECK_EQUAL(reinterpret_cast<uintptr_t>(memory) % kHugePageBytes, uintptr_t{0});
    std::memset(memory, 1, static_cast<size_t>(bytes));
    CHECK(isMapped(memory));
    freeHostMemory(memory, bytes);
    CHECK(!isMapped(memory));
    CHECK(!isMapped(memory + roundUp(bytes - 4096, 4096)));
  }
}

TEST("large host memory lies on huge pages where it was asked for") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  test::skip("the sanitizers' allocator has it");
#endif
  if (!givesHugePagesOnRequest()) test::skip("the system gives huge pages to all, or to nobody");
  constexpr int64_t kBytes = 4 * kHugePageBytes;
  for (const bool isAsked : {false, true}) {
    std::byte* const memory = allocateHostMemory(kBytes);
    if (isAsked) CHECK(useHugePages(memory, kBytes));
    std::memset(memory, 1, kBytes);
    if (isAsked)
      CHECK(hugePageBytes(memory) > 0);  // as many as the system has in one piece
    else
      CHECK_EQUAL(hugePageBytes(memory), int64_t{0});
    freeHostMemory(memory, kBytes);
  }
  std::byte* const touched = allocateHostMemory(kBytes);
  std::memset(touched, 7, kBytes);
  CHECK_EQUAL(hugePageBytes(touched), int64_t{0});
  CHECK(useHugePages(touched, kBytes));
  if (gatherHugePage(touched + kHugePageBytes)) CHECK_EQUAL(hugePageBytes(touched), kHugePageBytes);
  CHECK(std::all_of(touched, touched + kBytes, [](std::byte value) { return value == std::byte{7}; }));
  freeHostMemory(touched, kBytes);
  std::byte* const small = allocateHostMemory(100);
  CHECK(!useHugePages(small, 100));
  std::memset(small, 1, 100);
  freeHostMemory(small, 100);
}
