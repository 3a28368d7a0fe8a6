#pragma once

#include "binding/addon_data.h"

namespace jcs::binding {

/// JavaScript class Cancellation: `new Cancellation().cancel()`. Passed to calls that can be cancelled.
class CancellationObject : public Napi::ObjectWrap<CancellationObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  explicit CancellationObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  friend CancelFlag toCancelFlag(const Napi::Value&);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  CancelFlag flag_ = std::make_shared<std::atomic<bool>>(false);
};

/// The flag of a Cancellation; a fresh one for undefined. INVALID_TYPE for anything else.
CancelFlag toCancelFlag(const Napi::Value& value);

}  // namespace jcs::binding
