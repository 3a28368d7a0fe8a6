#include "runtime/engine.h"

#include <future>
#include <limits>
#include <map>

#include "backend/loader.h"

namespace jcs {

std::shared_ptr<Engine> Engine::acquire(const std::string& device) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<Engine>> engines;
  std::lock_guard lock(mutex);
  const auto open = [&](const std::string& name) {
    if (auto alive = engines[name].lock()) return alive;
    std::shared_ptr<Engine> engine(new Engine(loadBackend(name)));
    engines[name] = engine;
    return engine;
  };
  if (device == "cuda") return open("cuda:0");
  if (device != "auto") return open(device);
  try {
    return open("cuda:0");
  } catch (const Error& error) {
    if (error.code() != errors::kDeviceUnavailable) throw;
    return open("cpu");
  }
}

Engine::Engine(std::shared_ptr<Backend> backend) : backend_(std::move(backend)), device_(backend_->device()) {
  thread_ = std::thread([queue = queue_] { loop(queue); });
}

Engine::~Engine() {
  {
    std::lock_guard lock(queue_->mutex);
    queue_->stopping = true;
  }
  queue_->wake.notify_all();
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();  // the last owner was a job: the loop ends right after it
  } else {
    thread_.join();
  }
}

void Engine::submit(Job job) { push(std::move(job), kQueueLimit); }

void Engine::push(Job job, size_t limit) {
  {
    std::lock_guard lock(queue_->mutex);
    require(queue_->jobs.size() < limit, errors::kBusy, [&] {
      return "the queue of device '" + device_.name + "' is full (" + std::to_string(limit) +
             " jobs); wait for earlier work to finish";
    });
    queue_->jobs.push_back(std::move(job));
  }
  queue_->wake.notify_one();
}

void Engine::runAndWait(const std::function<void()>& job) {
  if (thread_.get_id() == std::this_thread::get_id()) return job();
  std::promise<void> done;
  const auto wrapped = [&] {
    try {
      job();
      done.set_value();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  };
  push(wrapped, std::numeric_limits<size_t>::max());
  done.get_future().get();
}

void Engine::run(Program& program, StateStore& states, const Program::Bindings& bindings,
                 const std::atomic<bool>* cancelled) {
  if (program.arenaBytes() > arena_.bytes()) {
    arena_ = DeviceBuffer();  // free the smaller one first: the two need not fit side by side
    arenaBytes_ = 0;
    arena_ = DeviceBuffer(backend_, program.arenaBytes());
    arenaBytes_ = arena_.bytes();
  }
  program.run(states, arena_.data(), bindings, cancelled);
}

size_t Engine::queueDepth() const {
  std::lock_guard lock(queue_->mutex);
  return queue_->jobs.size();
}

void Engine::loop(const std::shared_ptr<Queue>& queue) {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(queue->mutex);
      queue->wake.wait(lock, [&] { return queue->stopping || !queue->jobs.empty(); });
      if (queue->jobs.empty()) return;
      job = std::move(queue->jobs.front());
      queue->jobs.pop_front();
    }
    job();
    job = nullptr;  // what it held is released here, not while the next one is awaited
  }
}

}  // namespace jcs
