#include "runtime/worker_pool.h"

#include <algorithm>

namespace jcs {

std::shared_ptr<WorkerPool> WorkerPool::acquire() {
  static std::mutex mutex;
  static std::weak_ptr<WorkerPool> shared;
  std::lock_guard lock(mutex);
  auto pool = shared.lock();
  if (!pool) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    pool = std::make_shared<WorkerPool>(std::clamp(cores, 2, 4));
    shared = pool;
  }
  return pool;
}

WorkerPool::WorkerPool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([queue = queue_] { loop(queue); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(queue_->mutex);
    queue_->stopping = true;
  }
  queue_->wake.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();  // the last owner was a job
    } else {
      thread.join();
    }
  }
}

void WorkerPool::submit(std::function<void()> job) {
  {
    std::lock_guard lock(queue_->mutex);
    queue_->jobs.push_back(std::move(job));
  }
  queue_->wake.notify_one();
}

void WorkerPool::loop(const std::shared_ptr<Queue>& queue) {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(queue->mutex);
      queue->wake.wait(lock, [&] { return queue->stopping || !queue->jobs.empty(); });
      if (queue->jobs.empty()) return;
      job = std::move(queue->jobs.front());
      queue->jobs.pop_front();
    }
    job();
    job = nullptr;
  }
}

}  // namespace jcs
