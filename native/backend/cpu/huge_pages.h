#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

namespace jcs::cpu {

/// Moves memory that is used often onto huge pages, one after the other beside all other work: at once it would take a
/// second that somebody waits for.
class HugePages {
 public:
  ~HugePages();

  /// Of `allocateHostMemory`.
  void use(std::byte* memory, int64_t bytes) noexcept;
  /// Before that memory is freed.
  void forget(std::byte* memory) noexcept;

 private:
  struct Range {
    std::byte *memory, *next, *end;
  };

  void work();

  std::mutex mutex_;  ///< held while a page is moved
  std::condition_variable changed_;
  std::deque<Range> ranges_;
  bool stopping_ = false;
  std::thread thread_;  ///< since there was something to move
};

}  // namespace jcs::cpu
