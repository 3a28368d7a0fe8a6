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
/// and then sleeps: an idle pool costs nothing. Where other work displaces a thread, those that run take its share: a
/// loop waits for what a thread has begun, never for one that has not.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  /// Whether the calling thread is inside a loop of a pool; loops begun there run on that thread alone.
  static bool insideLoop();

  /// Calls `body(i)` for i in [0, count), count ≤ threads(): 0 on the caller, i on worker i − 1, or on the caller if
  /// that worker has not begun when all others have ended. The first exception is rethrown here after all have ended.
  void run(int count, const std::function<void(int)>& body);

  /// Cuts [0, count) into consecutive pieces and calls `body(begin, end, thread)` for each, `thread` < `threads`; no
  /// two calls that run at once have the same one. Each thread has a range of at least `grain`, of which it takes the
  /// pieces one after another, and then the last ones of others. The cut depends on the arguments alone, who takes a
  /// piece does not: where a thread has sums of its own, `parallelRanges` repeats.
  void parallelFor(int threads, int64_t count, int64_t grain,
                   const std::function<void(int64_t begin, int64_t end, int thread)>& body);

  /// The same in one piece a thread, and each by its own.
  void parallelRanges(int threads, int64_t count, int64_t grain,
                      const std::function<void(int64_t begin, int64_t end, int thread)>& body);

 private:
  /// What a worker is asked for. The caller offers, the worker takes and ends; what is not taken the caller withdraws.
  enum class Phase : uint32_t { kIdle, kOffered, kTaken, kStopping };
  struct alignas(64) Worker {
    std::atomic<Phase> phase{Phase::kIdle};
    std::thread thread;
  };
  /// The pieces of a thread's range that nobody has taken, [first, last): two numbers of 32 bits, to change as one.
  struct alignas(64) Pieces {
    std::atomic<uint64_t> left{0};
  };
  void work(Worker& worker, int index);
  void execute(int index) noexcept;
  void share(int count, const std::function<void(int)>& body);
  void stop() noexcept;

  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Pieces> pieces_;  ///< by thread
  std::mutex callers_;          ///< one loop at a time
  const std::function<void(int)>* body_ = nullptr;
  std::mutex failureMutex_;
  std::exception_ptr failure_;
};

}  // namespace jcs::cpu
