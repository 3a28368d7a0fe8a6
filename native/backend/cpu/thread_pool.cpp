#include "backend/cpu/thread_pool.h"

#include <algorithm>

#include "core/error.h"

namespace jcs::cpu {

namespace {

constexpr int kSpins = 2000;    // 20 to 60 µs, longer than the gap between two kernels
constexpr int64_t kPieces = 8;  // of a thread's range: what a displaced thread keeps others waiting for

thread_local bool insideLoopFlag = false;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// What `value` is once it differs from `old`; that may have come back by then.
template <typename T>
T awaitChange(const std::atomic<T>& value, T old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (const T now = value.load(std::memory_order_acquire); now != old) return now;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

/// To `then`, where it is `now`.
template <typename T>
bool change(std::atomic<T>& value, T now, T then) {
  return value.compare_exchange_strong(now, then, std::memory_order_acq_rel);
}

uint64_t packed(uint64_t first, uint64_t last) { return last << 32 | first; }

/// Takes the first or the last of the pieces, or none: −1. Who offers and ends a loop orders memory.
int64_t take(std::atomic<uint64_t>& left, bool fromFront) {
  for (uint64_t now = left.load(std::memory_order_relaxed);;) {
    const uint64_t first = now & 0xffffffff, last = now >> 32;
    if (first == last) return -1;
    const uint64_t then = fromFront ? packed(first + 1, last) : packed(first, last - 1);
    if (left.compare_exchange_weak(now, then, std::memory_order_relaxed))
      return static_cast<int64_t>(fromFront ? first : last - 1);
  }
}

/// Into how many ranges a loop is cut.
int64_t rangesOf(int threads, int64_t count, int64_t grain) {
  return std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, threads);
}

}  // namespace

bool ThreadPool::insideLoop() { return insideLoopFlag; }

ThreadPool::ThreadPool(int threads) : pieces_(static_cast<size_t>(std::max(threads, 1))) {
  invariant(threads >= 1, "a thread pool has at least one thread");
  try {
    for (int i = 1; i < threads; ++i) {
      auto worker = std::make_unique<Worker>();
      workers_.reserve(workers_.size() + 1);
      worker->thread = std::thread([this, worker = worker.get(), i] { work(*worker, i); });
      workers_.push_back(std::move(worker));
    }
  } catch (...) {  // the system refuses a thread
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() noexcept {
  for (auto& worker : workers_) {
    worker->phase.store(Phase::kStopping);
    worker->phase.notify_one();
  }
  for (auto& worker : workers_) worker->thread.join();
}

void ThreadPool::work(Worker& worker, int index) {
  insideLoopFlag = true;
  for (;;) {
    if (awaitChange(worker.phase, Phase::kIdle) == Phase::kStopping) return;
    if (!change(worker.phase, Phase::kOffered, Phase::kTaken)) continue;  // withdrawn meanwhile
    execute(index);
    worker.phase.store(Phase::kIdle, std::memory_order_release);
    worker.phase.notify_one();
  }
}

void ThreadPool::execute(int index) noexcept {
  try {
    (*body_)(index);
  } catch (...) {
    const std::lock_guard lock(failureMutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

/// With `callers_` held.
void ThreadPool::share(int count, const std::function<void(int)>& body) {
  body_ = &body;
  for (int i = 1; i < count; ++i) {
    std::atomic<Phase>& phase = workers_[static_cast<size_t>(i) - 1]->phase;
    phase.store(Phase::kOffered, std::memory_order_release);
    phase.notify_one();
  }
  insideLoopFlag = true;
  execute(0);
  for (int i = 1; i < count; ++i)
    if (change(workers_[static_cast<size_t>(i) - 1]->phase, Phase::kOffered, Phase::kIdle)) execute(i);
  insideLoopFlag = false;
  for (int i = 1; i < count; ++i) awaitChange(workers_[static_cast<size_t>(i) - 1]->phase, Phase::kTaken);
  body_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::run(int count, const std::function<void(int)>& body) {
  invariant(count <= threads(), "a loop asks for more threads than the pool has");
  if (count <= 1 || insideLoopFlag) {
    for (int i = 0; i < count; ++i) body(i);
    return;
  }
  const std::lock_guard lock(callers_);
  share(count, body);
}

void ThreadPool::parallelFor(int threads, int64_t count, int64_t grain,
                             const std::function<void(int64_t, int64_t, int)>& body) {
  if (count <= 0) return;
  const int64_t ranges = rangesOf(threads, count, grain);
  if (ranges == 1) return body(0, count, 0);
  // Pieces are of one length in all ranges, but for the last one of each.
  const int64_t length = std::max(grain, (count / ranges + kPieces - 1) / kPieces);
  const auto start = [&](int64_t range) { return count * range / ranges; };
  const auto piecesOf = [&](int64_t range) { return (start(range + 1) - start(range) + length - 1) / length; };
  const auto compute = [&](int64_t range, int64_t piece, int thread) {
    const int64_t begin = start(range) + piece * length;
    body(begin, std::min(begin + length, start(range + 1)), thread);
  };
  if (insideLoopFlag) {
    for (int64_t range = 0; range < ranges; ++range)
      for (int64_t piece = 0; piece < piecesOf(range); ++piece) compute(range, piece, static_cast<int>(range));
    return;
  }
  invariant(ranges <= this->threads(), "a loop asks for more threads than the pool has");
  const std::lock_guard lock(callers_);
  for (int64_t range = 0; range < ranges; ++range)
    pieces_[static_cast<size_t>(range)].left.store(packed(0, static_cast<uint64_t>(piecesOf(range))),
                                                   std::memory_order_relaxed);
  share(static_cast<int>(ranges), [&](int thread) {
    for (int64_t i = 0; i < ranges; ++i) {
      const int64_t range = (thread + i) % ranges;
      std::atomic<uint64_t>& left = pieces_[static_cast<size_t>(range)].left;
      for (int64_t piece = take(left, i == 0); piece >= 0; piece = take(left, i == 0)) compute(range, piece, thread);
    }
  });
}

void ThreadPool::parallelRanges(int threads, int64_t count, int64_t grain,
                                const std::function<void(int64_t, int64_t, int)>& body) {
  if (count <= 0) return;
  const int64_t ranges = rangesOf(threads, count, grain);
  if (ranges == 1) return body(0, count, 0);
  run(static_cast<int>(ranges), [&](int i) { body(count * i / ranges, count * (i + 1) / ranges, i); });
}

}  // namespace jcs::cpu
