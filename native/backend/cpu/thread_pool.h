#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace jcs::cpu {

/// A fixed set of worker threads. The calling thread takes part in every loop, so a pool of n threads has n − 1
/// workers. A worker that runs out of work spins for some microseconds, for the next kernel usually follows at once,
/// and then sleeps: an idle pool costs nothing.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  /// Whether the calling thread is inside a loop of a pool; loops begun there run on that thread alone.
  static bool insideLoop();

  /// Calls `body(i)` for i in [0, count), count ≤ threads(), each on its own thread: i = 0 on the caller, i on worker
  /// i − 1. The first exception is rethrown here after all have ended.
  void run(int count, const std::function<void(int)>& body);

  /// Cuts [0, count) into at most `threads` consecutive ranges of at least `grain` (the last may be shorter) and calls
  /// `body(begin, end, thread)` for each. The cut depends on the arguments alone.
  void parallelFor(int threads, int64_t count, int64_t grain,
                   const std::function<void(int64_t begin, int64_t end, int thread)>& body);

 private:
  struct alignas(64) Worker {
    std::atomic<uint32_t> signal{0};  ///< bumped to start the worker
    std::thread thread;
  };
  void work(Worker& worker, int index);
  void execute(int index) noexcept;
  void stop() noexcept;

  std::vector<std::unique_ptr<Worker>> workers_;
  std::mutex callers_;  ///< one loop at a time
  const std::function<void(int)>* body_ = nullptr;
  alignas(64) std::atomic<int> running_{0};
  std::atomic<bool> stopping_{false};
  std::mutex failureMutex_;
  std::exception_ptr failure_;
};

}  // namespace jcs::cpu
