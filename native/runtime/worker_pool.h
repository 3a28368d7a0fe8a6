#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "runtime/job_queue.h"

namespace jcs::runtime {

/// Threads for host work beside the device: preparing pixels, measuring lesions, writing files. Ours, because libuv's
/// pool is shared with everything else in the process and must not be blocked.
class WorkerPool {
 public:
  /// The process-wide pool, alive while anyone holds it. At least two threads: one may wait for the device while the
  /// other prepares the next batch.
  static std::shared_ptr<WorkerPool> acquire();
  explicit WorkerPool(int threads);
  ~WorkerPool();  ///< runs what is queued, then joins

  void submit(JobQueue::Job job) { queue_->push(std::move(job)); }

 private:
  void stop() noexcept;

  std::shared_ptr<JobQueue> queue_ = std::make_shared<JobQueue>();
  std::vector<std::thread> threads_;
};

}  // namespace jcs::runtime
