#include "runtime/engine.h"

#include <map>
#include <mutex>

#include "backend/loader.h"

namespace jcs::runtime {

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
  const auto tryOpen = [&](const std::string& name) -> std::shared_ptr<Engine> {
    try {
      return open(name);
    } catch (const Error& error) {
      if (error.code() != errors::kDeviceUnavailable) throw;
      return nullptr;
    }
  };
  if (auto first = tryOpen("cuda:0")) return first;
  // Another process may hold the first GPU alone.
  for (const DeviceInfo& info : listDevices())
    if (info.kind == "cuda" && info.available && info.name != "cuda:0")
      if (auto other = tryOpen(info.name)) return other;
  return open("cpu");
}

Engine::Engine(std::shared_ptr<Backend> backend) : backend_(std::move(backend)), device_(backend_->device()) {
  thread_ = std::thread([queue = queue_] { queue->work(); });
}

Engine::~Engine() {
  queue_->stop();
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();  // the last owner was a job: the thread ends right after it
  } else {
    thread_.join();
  }
}

void Engine::submit(Job job) {
  require(queue_->push(std::move(job), kQueueLimit), errors::kBusy, [&] {
    return "the queue of device '" + device_.name + "' is full (" + std::to_string(kQueueLimit) +
           " jobs); wait for earlier work to finish";
  });
}

void Engine::runAndWait(const std::function<void()>& job) {
  if (thread_.get_id() == std::this_thread::get_id()) return job();
  queue_->runAndWait(job);
}

void Engine::run(compiler::Program& program, compiler::StateStore& states, const compiler::Bindings& bindings,
                 const std::atomic<bool>* cancelled) {
  if (program.arenaBytes() > arena_.bytes()) {
    arena_ = DeviceBuffer();  // free the smaller one first: the two need not fit side by side
    arenaBytes_ = 0;
    arena_ = DeviceBuffer(backend_, program.arenaBytes());
    arenaBytes_ = arena_.bytes();
  }
  program.run(states, arena_.data(), bindings, cancelled);
}

std::shared_ptr<compiler::DerivedStore> Engine::derivedStore(const std::string& identity,
                                                             std::shared_ptr<compiler::DerivedArchive> archive) {
  std::erase_if(derivedStores_, [](const auto& store) { return store.second.expired(); });
  if (auto shared = derivedStores_[identity].lock()) return shared;
  auto store = std::make_shared<compiler::DerivedStore>(std::move(archive));
  derivedStores_[identity] = store;
  return store;
}

}  // namespace jcs::runtime
