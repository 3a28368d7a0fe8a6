#include "binding/train_settings_object.h"

#include "binding/convert.h"
#include "core/json.h"
#include "train/train_settings.h"

namespace jcs::binding {

void TrainSettingsObject::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor =
      DefineClass(env, "NativeTrainSettings", {InstanceMethod("toJson", &TrainSettingsObject::toJson)});
  AddonData::of(env).trainSettingsConstructor = Napi::Persistent(constructor);
  exports.Set("NativeTrainSettings", constructor);
  exports.Set("describeTrainOptions", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(),
                               [&] { return Napi::String::New(info.Env(), train::describeTrainOptions().dump()); });
              }));
}

TrainSettingsObject::TrainSettingsObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    config_ = train::trainConfigFromJson(toString(info[1], "options"), networks::parseTask(toString(info[0], "task")),
                                         toBoolean(info[2], "isPretrained"), toString(info[3], "network"));
    return info.Env().Undefined();
  });
}

const train::TrainConfig& TrainSettingsObject::unwrap(const Napi::Value& value) {
  const bool isKnown = value.IsObject() &&
                       value.As<Napi::Object>().InstanceOf(AddonData::of(value.Env()).trainSettingsConstructor.Value());
  require(isKnown, errors::kInvalidType, "expected NativeTrainSettings");
  return TrainSettingsObject::Unwrap(value.As<Napi::Object>())->config_;
}

Napi::Value TrainSettingsObject::toJson(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), train::trainSettings(config_).dump()); });
}

}  // namespace jcs::binding
