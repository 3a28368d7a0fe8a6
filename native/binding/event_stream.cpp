#include "binding/event_stream.h"

#include "core/json.h"

namespace jcs::binding {

namespace {

Napi::Function toFunction(const Napi::Value& value) {
  require(value.IsFunction(), errors::kInvalidType, "onEvent must be a function");
  return value.As<Napi::Function>();
}

/// A reference whose last owner may be any thread: it is deleted on its own, and left to an environment that is gone.
std::shared_ptr<Napi::FunctionReference> shareReference(std::shared_ptr<JsThread> thread, Napi::Function function) {
  const auto release = [thread = std::move(thread)](Napi::FunctionReference* reference) {
    if (thread->post([reference](Napi::Env) { delete reference; })) return;
    reference->SuppressDestruct();
    delete reference;
  };
  return {new Napi::FunctionReference(Napi::Persistent(function)), release};
}

}  // namespace

EventStream::EventStream(std::shared_ptr<JsThread> thread, const Napi::Value& callback)
    : thread_(std::move(thread)), callback_(shareReference(thread_, toFunction(callback))) {}

void EventStream::emit(const nlohmann::json& event, bool keep) {
  {
    const std::lock_guard lock(mutex_);
    const bool replaces = !waiting_.empty() && !waiting_.back().keep && waiting_.back().phase == event["phase"];
    if (replaces) waiting_.pop_back();
    waiting_.push_back({event["phase"], event.dump(), keep});
    if (posted_) return;
    posted_ = true;
  }
  thread_->post([self = shared_from_this()](Napi::Env env) { self->deliver(env); });
}

void EventStream::deliver(Napi::Env env) {
  std::deque<Waiting> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(waiting_);
    posted_ = false;
  }
  for (const Waiting& event : events) callback_->Value().Call({Napi::String::New(env, event.json)});
}

}  // namespace jcs::binding
