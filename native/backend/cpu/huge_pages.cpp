#include "backend/cpu/huge_pages.h"

#include <algorithm>
#include <exception>

#include "core/host_memory.h"

namespace jcs::cpu {

HugePages::~HugePages() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void HugePages::use(std::byte* memory, int64_t bytes) noexcept {
  if (!useHugePages(memory, bytes)) return;
  try {
    const std::lock_guard lock(mutex_);
    if (std::ranges::find(ranges_, memory, &Range::memory) != ranges_.end()) return;
    // What is left of the last page is not worth one of its own.
    ranges_.push_back({memory, memory, memory + bytes / kHugePageBytes * kHugePageBytes});
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  } catch (const std::exception&) {
    return;  // the system moves it, more slowly
  }
  changed_.notify_one();
}

void HugePages::forget(std::byte* memory) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase_if(ranges_, [&](const Range& range) { return range.memory == memory; });
}

void HugePages::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !ranges_.empty(); });
    if (stopping_) return;
    Range& range = ranges_.front();
    const bool isMoved = gatherHugePage(range.next);
    range.next += kHugePageBytes;
    if (!isMoved || range.next == range.end) ranges_.pop_front();
    lock.unlock();  // for whoever frees memory
    std::this_thread::yield();
    lock.lock();
  }
}

}  // namespace jcs::cpu
