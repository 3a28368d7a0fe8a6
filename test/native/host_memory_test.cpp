#include "core/host_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/alignment.h"
#include "native/harness.h"

using namespace jcs;

namespace {

bool isMapped(const std::byte* memory) {
  unsigned char resident = 0;
  return ::mincore(const_cast<std::byte*>(memory), static_cast<size_t>(::sysconf(_SC_PAGESIZE)), &resident) == 0 ||
         errno != ENOMEM;
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

TEST("host memory that is not small leaves the process when it is freed, and lies on huge pages when it is large") {
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
