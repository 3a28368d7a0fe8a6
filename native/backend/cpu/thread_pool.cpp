#include "backend/cpu/thread_pool.h"

#include <algorithm>

#include "core/error.h"

namespace jcs::cpu {

namespace {

constexpr int kSpins = 2000;  // 20 to 60 µs, longer than the gap between two kernels

thread_local bool insideLoopFlag = false;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns once `value` differs from `old`.
template <typename T>
void awaitChange(const std::atomic<T>& value, T old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

bool ThreadPool::insideLoop() { return insideLoopFlag; }

ThreadPool::ThreadPool(int threads) {
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
  stopping_.store(true);
  for (auto& worker : workers_) {
    worker->signal.fetch_add(1);
    worker->signal.notify_one();
  }
  for (auto& worker : workers_) worker->thread.join();
}

void ThreadPool::work(Worker& worker, int index) {
  insideLoopFlag = true;
  uint32_t seen = 0;
  for (;;) {
    awaitChange(worker.signal, seen);
    ++seen;
    if (stopping_.load()) return;
    execute(index);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
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

void ThreadPool::run(int count, const std::function<void(int)>& body) {
  invariant(count <= threads(), "a loop asks for more threads than the pool has");
  if (count <= 1 || insideLoopFlag) {
    for (int i = 0; i < count; ++i) body(i);
    return;
  }
  const std::lock_guard lock(callers_);
  body_ = &body;
  running_.store(count - 1, std::memory_order_relaxed);
  for (int i = 1; i < count; ++i) {
    std::atomic<uint32_t>& signal = workers_[static_cast<size_t>(i) - 1]->signal;
    signal.fetch_add(1, std::memory_order_release);
    signal.notify_one();
  }
  insideLoopFlag = true;
  execute(0);
  insideLoopFlag = false;
  for (int left = running_.load(std::memory_order_acquire); left != 0; left = running_.load(std::memory_order_acquire))
    awaitChange(running_, left);
  body_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::parallelFor(int threads, int64_t count, int64_t grain,
                             const std::function<void(int64_t, int64_t, int)>& body) {
  if (count <= 0) return;
  const int64_t parts = std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, threads);
  if (parts == 1) return body(0, count, 0);
  run(static_cast<int>(parts), [&](int i) {
    const int64_t begin = count * i / parts, end = count * (i + 1) / parts;
    if (begin < end) body(begin, end, i);
  });
}

}  // namespace jcs::cpu
