#include "binding/js_thread.h"

#include <utility>

namespace jcs::binding {

std::shared_ptr<JsThread> JsThread::create(Napi::Env env) {
  std::shared_ptr<JsThread> thread(new JsThread(env));
  thread->function_ =
      Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "jcs", 0, 1);
  thread->function_.Unref(env);
  return thread;
}

bool JsThread::post(Callback callback) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  auto* data = new Callback(std::move(callback));
  const napi_status status = function_.NonBlockingCall(data, [](Napi::Env env, Napi::Function, Callback* posted) {
    const std::unique_ptr<Callback> owned(posted);
    if (static_cast<napi_env>(env) == nullptr) return;  // the environment is going down
    const Napi::HandleScope scope(env);
    (*owned)(env);
  });
  if (status == napi_ok) return true;
  delete data;
  return false;
}

void JsThread::begin() {
  if (pending_++ == 0 && !closed_) function_.Ref(env_);
}

void JsThread::end() {
  if (--pending_ == 0 && !closed_) function_.Unref(env_);
}

void JsThread::close() {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(closed_, true)) function_.Abort();
}

Napi::Error toJsError(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

std::shared_ptr<Deferred> Deferred::create(Napi::Env env, std::shared_ptr<JsThread> thread) {
  std::shared_ptr<Deferred> deferred(new Deferred(env, std::move(thread)));
  deferred->thread_->begin();
  return deferred;
}

void Deferred::finish(std::function<void(Napi::Env)> settle) {
  thread_->post([thread = thread_, settle = std::move(settle)](Napi::Env env) {
    thread->end();
    settle(env);
  });
}

void Deferred::resolve(Convert convert) {
  finish([deferred = deferred_, convert = std::move(convert)](Napi::Env env) {
    try {
      deferred.Resolve(convert(env));
    } catch (const Napi::Error& error) {
      deferred.Reject(error.Value());
    } catch (...) {
      const Error error = currentError();
      deferred.Reject(toJsError(env, error.code(), error.what()).Value());
    }
  });
}

void Deferred::reject(const Error& error) {
  finish([deferred = deferred_, error](Napi::Env env) {
    deferred.Reject(toJsError(env, error.code(), error.what()).Value());
  });
}

void Deferred::settle(const std::function<Convert()>& work) {
  try {
    resolve(work());
  } catch (...) {
    reject(currentError());
  }
}

}  // namespace jcs::binding
