#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>

#include "core/current_error.h"

namespace jcs::binding {

/// Runs closures on one environment's JavaScript thread, from any thread. The environment stays alive while work is
/// pending (`begin` … `end`) and may be torn down at any time: what was posted is then dropped.
class JsThread : public std::enable_shared_from_this<JsThread> {
 public:
  static std::shared_ptr<JsThread> create(Napi::Env env);

  using Callback = std::function<void(Napi::Env)>;
  /// From any thread; false when the environment is gone.
  bool post(Callback callback);
  /// JavaScript thread: some work that will post its end has begun, or has ended.
  void begin();
  void end();
  /// JavaScript thread, at the environment's end.
  void close();

 private:
  explicit JsThread(Napi::Env env) : env_(env) {}
  Napi::Env env_;
  Napi::ThreadSafeFunction function_;
  int pending_ = 0;
  std::mutex mutex_;  ///< the function must not be called once it is closed: it is freed with the environment
  bool closed_ = false;
};

/// A JavaScript error with `code`.
Napi::Error toJsError(Napi::Env env, const std::string& code, const std::string& message);

/// A promise whose work runs elsewhere. It is settled once, from any thread: with what converts the result on the
/// JavaScript thread, or with an error.
class Deferred {
 public:
  static std::shared_ptr<Deferred> create(Napi::Env env, std::shared_ptr<JsThread> thread);

  Napi::Promise promise() const { return deferred_.Promise(); }
  using Convert = std::function<Napi::Value(Napi::Env)>;
  void resolve(Convert convert);
  void reject(const Error& error);
  /// Runs `work`, which returns the conversion, and settles accordingly. From any thread.
  void settle(const std::function<Convert()>& work);

 private:
  Deferred(Napi::Env env, std::shared_ptr<JsThread> thread)
      : deferred_(Napi::Promise::Deferred::New(env)), thread_(std::move(thread)) {}
  void finish(std::function<void(Napi::Env)> settle);

  Napi::Promise::Deferred deferred_;
  std::shared_ptr<JsThread> thread_;
};

/// Calls `body` and turns what it throws into a JavaScript exception.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Error error = currentError();
    throw toJsError(env, error.code(), error.what());
  }
}

}  // namespace jcs::binding
