#include "runtime/job_queue.h"

namespace jcs::runtime {

bool JobQueue::push(Job job, size_t limit) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= limit) return false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

size_t JobQueue::size() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void JobQueue::work() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
    job = nullptr;  // what it held is released here, not while the next one is awaited
  }
}

void JobQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

}  // namespace jcs::runtime
