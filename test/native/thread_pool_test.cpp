#include "backend/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include "core/error.h"
#include "native/harness.h"

namespace jcs::test {

namespace {

using cpu::ThreadPool;

/// How often each of `count` indices was visited, and by how many threads at once at the most that have one number.
struct Visits {
  std::vector<std::atomic<int>> ofIndex;
  std::vector<std::atomic<int>> inside;
  std::atomic<bool> shared{false};

  Visits(int64_t count, int threads) : ofIndex(static_cast<size_t>(count)), inside(static_cast<size_t>(threads)) {}
  void visit(int64_t begin, int64_t end, int thread) {
    if (inside[static_cast<size_t>(thread)]++ > 0) shared = true;
    for (int64_t i = begin; i < end; ++i) ++ofIndex[static_cast<size_t>(i)];
    --inside[static_cast<size_t>(thread)];
  }
  bool eachOnce() const {
    return std::ranges::all_of(ofIndex, [](const auto& visits) { return visits == 1; });
  }
};

}  // namespace

TEST("a thread pool's loops visit each index once, by threads of different numbers") {
  ThreadPool pool(3);
  for (const int threads : {1, 2, 3})
    for (const int64_t count : {0, 1, 2, 7, 64, 1001})
      for (const int64_t grain : {0, 1, 5, 400}) {
        Visits shared(count, threads), ranges(count, threads);
        pool.parallelFor(threads, count, grain, [&](int64_t b, int64_t e, int t) { shared.visit(b, e, t); });
        pool.parallelRanges(threads, count, grain, [&](int64_t b, int64_t e, int t) { ranges.visit(b, e, t); });
        CHECK(shared.eachOnce() && !shared.shared);
        CHECK(ranges.eachOnce() && !ranges.shared);
      }
}

TEST("a thread pool cuts a loop alike in every run") {
  ThreadPool pool(2);
  const auto cut = [&] {
    std::mutex mutex;
    std::vector<std::pair<int64_t, int64_t>> pieces;
    pool.parallelFor(2, 1000, 3, [&](int64_t begin, int64_t end, int) {
      const std::lock_guard lock(mutex);
      pieces.emplace_back(begin, end);
    });
    std::ranges::sort(pieces);
    return pieces;
  };
  const auto first = cut();
  CHECK(first.size() > 2);
  for (int i = 0; i < 100; ++i) CHECK(cut() == first);
}

TEST("what a displaced thread has left of a loop others take") {
  constexpr int64_t kCount = 64;
  ThreadPool pool(2);
  for (const int displaced : {0, 1}) {
    std::atomic<int64_t> done{0};
    std::atomic<int64_t> held{0};
    bool waitedInVain = false;
    pool.parallelFor(2, kCount, 1, [&](int64_t begin, int64_t end, int thread) {
      // The first piece that this thread takes ends when all others have.
      if (thread == displaced && held == 0) {
        held = end - begin;
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (done + held < kCount && !waitedInVain) waitedInVain = std::chrono::steady_clock::now() > limit;
      }
      done += end - begin;
    });
    CHECK(!waitedInVain);
    CHECK(done == kCount);
  }
}

TEST("a thread pool rethrows what a loop throws, and goes on") {
  ThreadPool pool(2);
  for (int i = 0; i < 50; ++i) {
    std::string message;
    try {
      pool.parallelFor(2, 100, 1, [&](int64_t begin, int64_t, int) {
        if (begin >= 50) throw Error(errors::kInternal, "in the second half");
      });
    } catch (const Error& error) {
      message = error.what();
    }
    CHECK(message == "in the second half");
    std::atomic<int64_t> sum{0};
    pool.parallelFor(2, 100, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t k = begin; k < end; ++k) sum += k;
    });
    CHECK(sum == 4950);
  }
}

TEST("loops within loops of a thread pool run on one thread") {
  ThreadPool pool(2);
  std::atomic<int64_t> inner{0};
  pool.parallelFor(2, 16, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const auto self = std::this_thread::get_id();
      pool.parallelFor(2, 10, 1, [&](int64_t b, int64_t e, int) {
        if (std::this_thread::get_id() == self) inner += e - b;
      });
    }
  });
  CHECK(inner == 160);
}

}  // namespace jcs::test
