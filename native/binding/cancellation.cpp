#include "binding/cancellation.h"

namespace jcs::binding {

void CancellationObject::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor =
      DefineClass(env, "Cancellation", {InstanceMethod("cancel", &CancellationObject::cancel)});
  AddonData::of(env).cancellationConstructor = Napi::Persistent(constructor);
  exports.Set("Cancellation", constructor);
}

Napi::Value CancellationObject::cancel(const Napi::CallbackInfo& info) {
  flag_->store(true);
  return info.Env().Undefined();
}

CancelFlag toCancelFlag(const Napi::Value& value) {
  if (value.IsUndefined()) return std::make_shared<std::atomic<bool>>(false);
  const bool known = value.IsObject() &&
                     value.As<Napi::Object>().InstanceOf(AddonData::of(value.Env()).cancellationConstructor.Value());
  require(known, errors::kInvalidType, "a cancellation must be made by `new Cancellation()`");
  return CancellationObject::Unwrap(value.As<Napi::Object>())->flag_;
}

}  // namespace jcs::binding
