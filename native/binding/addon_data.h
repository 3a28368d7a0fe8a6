#pragma once

#include <napi.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>

#include "binding/js_thread.h"
#include "runtime/worker_pool.h"

namespace jcs::binding {

/// A flag that JavaScript raises and native work reads.
using CancelFlag = std::shared_ptr<std::atomic<bool>>;

/// Work of one environment that is under way on other threads. At the environment's end all of it is cancelled and
/// waited for, so that no thread outlives what it works on.
class PendingWork {
 public:
  class Token {
   public:
    Token(std::shared_ptr<PendingWork> work, CancelFlag flag);
    ~Token();
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;
    const CancelFlag& flag() const { return flag_; }

   private:
    std::shared_ptr<PendingWork> work_;
    CancelFlag flag_;
  };
  void cancelAndWait();
  /// Waits no longer than that.
  void cancelAndWait(std::chrono::milliseconds limit);

 private:
  void cancel();
  bool isDone() const { return flags_.empty(); }

  std::mutex mutex_;
  std::condition_variable done_;
  std::multiset<CancelFlag> flags_;
};

/// What one environment (the main thread's, or a worker's) owns.
struct AddonData {
  explicit AddonData(Napi::Env env);

  /// At the process's exit, of which environments are not told: work that is under way would go on while what the
  /// backends' libraries own is destroyed.
  void exit();

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

  /// Runs `work` on the pool and settles a promise with the conversion that it returns.
  Napi::Promise run(Napi::Env env, CancelFlag flag, std::function<Deferred::Convert(const CancelFlag&)> work);

  std::shared_ptr<JsThread> thread;
  std::shared_ptr<runtime::WorkerPool> pool;
  std::shared_ptr<PendingWork> pending = std::make_shared<PendingWork>();
  Napi::FunctionReference modelConstructor, cancellationConstructor, sliceStoreConstructor, maskConstructor,
      trainSettingsConstructor;
  std::atomic<bool> closing{false};
};

}  // namespace jcs::binding
