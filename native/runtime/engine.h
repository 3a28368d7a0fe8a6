#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "backend/backend.h"
#include "compiler/program.h"
#include "runtime/job_queue.h"

namespace jcs::runtime {

/// A device's execution thread and its queue. All programs of all models on the device run here in the order in which
/// they were submitted, and share one arena. There is one engine per device in a process, shared by every worker
/// thread, alive while anyone holds it.
class Engine {
 public:
  /// `device`: "auto", "cpu", "cuda", "cuda:N". 'auto' takes CUDA where it is usable, else the CPU.
  static std::shared_ptr<Engine> acquire(const std::string& device);

  Engine(const Engine&) = delete;
  ~Engine();  ///< runs what is queued, then joins

  Backend& backend() { return *backend_; }
  std::shared_ptr<Backend> sharedBackend() { return backend_; }
  const DeviceInfo& device() const { return device_; }

  using Job = JobQueue::Job;
  /// Queues a job; it must not throw. BUSY when `kQueueLimit` jobs wait.
  void submit(Job job);
  /// Runs a job on the execution thread and waits for it, however long the queue; rethrows what it throws. Called from
  /// the execution thread itself, runs it at once.
  void runAndWait(const std::function<void()>& job);

  /// Grows the arena as needed and runs the program. Execution thread only.
  void run(compiler::Program& program, compiler::StateStore& states, const compiler::Bindings& bindings,
           const std::atomic<bool>* cancelled = nullptr);

  /// What models share whose parameters are the same because they come from the same place, `identity`, and never
  /// change; alive while one of them holds it. The first brings the archive. Execution thread only.
  std::shared_ptr<compiler::DerivedStore> derivedStore(const std::string& identity,
                                                       std::shared_ptr<compiler::DerivedArchive> archive);

  int64_t arenaBytes() const { return arenaBytes_.load(); }
  size_t queueDepth() const { return queue_->size(); }

  static constexpr size_t kQueueLimit = 4096;

 private:
  explicit Engine(std::shared_ptr<Backend> backend);

  std::shared_ptr<Backend> backend_;
  DeviceInfo device_;
  DeviceBuffer arena_;
  std::atomic<int64_t> arenaBytes_{0};
  std::map<std::string, std::weak_ptr<compiler::DerivedStore>> derivedStores_;
  std::shared_ptr<JobQueue> queue_ = std::make_shared<JobQueue>();
  std::thread thread_;
};

}  // namespace jcs::runtime
