#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>

namespace jcs::runtime {

/// Jobs from any thread, taken in order by the threads that call `work`. Those hold it by a shared pointer: they may
/// outlive its owner by the rest of a job that destroyed the owner.
class JobQueue {
 public:
  using Job = std::function<void()>;

  /// False, and nothing queued, when `limit` jobs wait already. The job must not throw.
  bool push(Job job, size_t limit = std::numeric_limits<size_t>::max());
  /// Queues a job, waits until it has run, and rethrows what it threw. Takes no memory: destructors call it.
  void runAndWait(const Job& job);
  size_t size() const;
  /// Runs jobs until the queue was stopped and is empty.
  void work();
  /// What is queued still runs.
  void stop();

 private:
  struct Place {
    Place* next = nullptr;
    Job owned = nullptr;            ///< of one that nobody waits for: the queue's, with its place
    const Job* awaited = nullptr;   ///< of whoever waits, as is its place, on the stack of that thread
    std::exception_ptr error = {};  ///< of an awaited one
    bool isDone = false;
  };
  void append(Place& place);  ///< call it with `mutex_` held

  mutable std::mutex mutex_;
  std::condition_variable wake_, done_;
  Place *first_ = nullptr, *last_ = nullptr;
  size_t size_ = 0;
  bool stopping_ = false;
};

}  // namespace jcs::runtime
