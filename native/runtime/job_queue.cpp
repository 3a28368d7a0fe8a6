#include "runtime/job_queue.h"

#include <memory>
#include <utility>

namespace jcs::runtime {

void JobQueue::append(Place& place) {
  (last_ == nullptr ? first_ : last_->next) = &place;
  last_ = &place;
  ++size_;
}

bool JobQueue::push(Job job, size_t limit) {
  auto place = std::make_unique<Place>(Place{.owned = std::move(job)});
  {
    const std::lock_guard lock(mutex_);
    if (size_ >= limit) return false;
    append(*place.release());
  }
  wake_.notify_one();
  return true;
}

void JobQueue::runAndWait(const Job& job) {
  Place place{.awaited = &job};
  std::unique_lock lock(mutex_);
  append(place);
  wake_.notify_one();
  done_.wait(lock, [&] { return place.isDone; });
  if (place.error) std::rethrow_exception(std::move(place.error));
}

size_t JobQueue::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

void JobQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || first_ != nullptr; });
    if (first_ == nullptr) return;
    Place* place = first_;
    first_ = place->next;
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    lock.unlock();
    if (place->awaited == nullptr) {
      place->owned();
      delete place;  // what it held is released here, not while the next one is awaited
      lock.lock();
      continue;
    }
    std::exception_ptr error;
    try {
      (*place->awaited)();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    // From here on it is the waiting thread's alone, who reads and frees the error.
    place->error = std::move(error);
    place->isDone = true;
    done_.notify_all();
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
