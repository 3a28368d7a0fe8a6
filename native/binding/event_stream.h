#pragma once

#include <deque>
#include <nlohmann/json_fwd.hpp>

#include "binding/js_thread.h"

namespace jcs::binding {

/// Carries events to a JavaScript callback. Progress overwrites progress of its phase that was not delivered yet, so a
/// busy event loop neither slows the work nor makes a queue grow; events that say something for good are all delivered.
class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  /// INVALID_TYPE for a callback that is no function.
  EventStream(std::shared_ptr<JsThread> thread, const Napi::Value& callback);

  /// From any thread. `event` has a `phase`; with `keep` it says something for good.
  void emit(const nlohmann::json& event, bool keep);
  /// On the JavaScript thread, before the result settles.
  void deliver(Napi::Env env);

 private:
  struct Waiting {
    std::string phase, json;
    bool keep;
  };
  std::shared_ptr<JsThread> thread_;
  std::shared_ptr<Napi::FunctionReference> callback_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;
  bool posted_ = false;
};

}  // namespace jcs::binding
