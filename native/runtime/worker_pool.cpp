#include "runtime/worker_pool.h"

#include <algorithm>
#include <mutex>

namespace jcs::runtime {

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
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([queue = queue_] { queue->work(); });
  } catch (...) {  // the system refuses a thread
    stop();
    throw;
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::stop() noexcept {
  queue_->stop();
  for (std::thread& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();  // the last owner was a job
    } else {
      thread.join();
    }
  }
}

}  // namespace jcs::runtime
