#pragma once

#include <napi.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
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
  /// With a limit, waits no longer than that.
  void cancelAndWait(std::optional<std::chrono::seconds> limit = {});

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::multiset<CancelFlag> flags_;
};

/// What one environment (the main thread's, or a worker's) owns.
struct AddonData {
  explicit AddonData(Napi::Env env);

  /// Takes no more work, cancels what is under way, and waits for it. At the environment's end without a limit; at the
  /// process's exit, of which environments are not told, with one: work that went on there would find destroyed what
  /// the backends' libraries own.
  void stop(std::optional<std::chrono::seconds> limit = {});

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
