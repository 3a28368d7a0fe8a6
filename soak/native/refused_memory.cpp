#include "refused_memory.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <unordered_map>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

namespace {

// Constant-initialised: memory is asked for before any constructor has run.
std::atomic<bool> counting{false};
std::atomic<int64_t> counted{0}, refusedOne{0}, blocks{0};

/// Callers that tell two places apart; those further out are mostly the same.
constexpr int kCallers = 32;

std::atomic<bool> finding{false};
thread_local bool isNoting = false;  // what noting asks for is not noted

struct Places {
  std::mutex mutex;
  std::unordered_map<uint64_t, int64_t> first;  ///< by a hash of the callers
};
Places& places() {
  static Places found;
  return found;
}

void note(int64_t number) {
  isNoting = true;
  void* callers[kCallers];
  const int count = backtrace(callers, kCallers);
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (int i = 0; i < count; ++i) hash = (hash ^ reinterpret_cast<uintptr_t>(callers[i])) * 1099511628211u;
  {
    const std::lock_guard lock(places().mutex);
    places().first.try_emplace(hash, number);
  }
  isNoting = false;
}

struct Range {
  uintptr_t begin = 0, end = 0;
};

int rememberLinker(dl_phdr_info* info, size_t, void* result) {
  if (std::strstr(info->dlpi_name, "/ld-") == nullptr) return 0;
  auto& range = *static_cast<Range*>(result);
  for (int i = 0; i < info->dlpi_phnum; ++i)
    if (info->dlpi_phdr[i].p_type == PT_LOAD)
      range.end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
  range.begin = info->dlpi_addr;
  return 1;
}

const Range& linker() {
  static const Range range = [] {
    Range found;
    dl_iterate_phdr(rememberLinker, &found);
    return found;
  }();
  return range;
}

bool isRefused() {
  if (!counting.load(std::memory_order_relaxed) || isNoting) return false;
  const int64_t number = counted.fetch_add(1) + 1;
  if (finding.load(std::memory_order_relaxed)) note(number);
  return number == refusedOne.load();
}

/// What `caller` asks for: whether it is refused.
bool isRefused(const void* caller) {
  if (!counting.load(std::memory_order_relaxed)) return false;
  const auto address = reinterpret_cast<uintptr_t>(caller);
  if (address >= linker().begin && address < linker().end) return false;
  return isRefused();
}

void* given(void* block) {
  if (block != nullptr) blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* refused() {
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

namespace jcs::soak {

void countAllocations(int64_t refused) {
  linker();
  counted = 0;
  refusedOne = refused;
  counting = true;
}

int64_t stopCounting() {
  counting = false;
  return counted;
}

void findPlaces() {
  void* caller[1];
  backtrace(caller, 1);  // which loads what it needs
  places().first.clear();
  finding = true;
  countAllocations(0);
}

std::vector<int64_t> stopFinding() {
  stopCounting();
  finding = false;
  std::vector<int64_t> numbers;
  for (const auto& [callers, number] : places().first) numbers.push_back(number);
  std::ranges::sort(numbers);
  return numbers;
}

int64_t blocksInUse() { return blocks; }

}  // namespace jcs::soak

// What glibc calls replacing malloc: a program that defines these has them called by every library in the process.
extern "C" {

void* malloc(size_t bytes) { return isRefused(__builtin_return_address(0)) ? refused() : given(__libc_malloc(bytes)); }

void* calloc(size_t count, size_t bytes) {
  return isRefused(__builtin_return_address(0)) ? refused() : given(__libc_calloc(count, bytes));
}

void* realloc(void* block, size_t bytes) {
  if (isRefused(__builtin_return_address(0))) return refused();
  void* moved = __libc_realloc(block, bytes);
  if (block == nullptr) return given(moved);
  if (bytes == 0) blocks.fetch_sub(1, std::memory_order_relaxed);
  return moved;
}

void* memalign(size_t alignment, size_t bytes) {
  return isRefused(__builtin_return_address(0)) ? refused() : given(__libc_memalign(alignment, bytes));
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  return isRefused(__builtin_return_address(0)) ? refused() : given(__libc_memalign(alignment, bytes));
}

int posix_memalign(void** block, size_t alignment, size_t bytes) {
  if (isRefused(__builtin_return_address(0))) return ENOMEM;
  *block = given(__libc_memalign(alignment, bytes));
  return *block == nullptr ? ENOMEM : 0;
}

void free(void* block) {
  if (block != nullptr) blocks.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(block);
}

void* mmap(void* address, size_t bytes, int protection, int flags, int descriptor, off_t offset) noexcept {
  if (address == nullptr && (flags & MAP_ANONYMOUS) != 0 && isRefused(__builtin_return_address(0))) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, descriptor, offset));
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  if (isRefused()) return EAGAIN;
  return real(thread, attributes, run, argument);
}
}
