#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>

namespace jcs::runtime {

/// Jobs from any thread, taken in order by the threads that call `work`. Those hold it by a shared pointer: they may
/// outlive its owner by the rest of a job that destroyed the owner.
class JobQueue {
 public:
  using Job = std::function<void()>;

  /// False, and nothing queued, when `limit` jobs wait already.
  bool push(Job job, size_t limit = std::numeric_limits<size_t>::max());
  size_t size() const;
  /// Runs jobs until the queue was stopped and is empty. A job must not throw.
  void work();
  /// What is queued still runs.
  void stop();

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
};

}  // namespace jcs::runtime
