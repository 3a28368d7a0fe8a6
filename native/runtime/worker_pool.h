#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace jcs {

/// Threads for host work beside the device: preparing pixels, measuring lesions, writing files. Ours, because libuv's
/// pool is shared with everything else in the process and must not be blocked.
class WorkerPool {
 public:
  /// The process-wide pool, alive while anyone holds it. At least two threads: one may wait for the device while the
  /// other prepares the next batch.
  static std::shared_ptr<WorkerPool> acquire();
  explicit WorkerPool(int threads);
  ~WorkerPool();  ///< runs what is queued, then joins

  void submit(std::function<void()> job);

 private:
  struct Queue {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::function<void()>> jobs;
    bool stopping = false;
  };
  static void loop(const std::shared_ptr<Queue>& queue);

  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::vector<std::thread> threads_;
};

}  // namespace jcs
