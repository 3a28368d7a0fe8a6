#pragma once

#include "binding/addon_data.h"
#include "train/train_config.h"

namespace jcs::binding {

/// JavaScript class NativeTrainSettings (contract in ts/native.ts): the options of a training run, parsed once.
class TrainSettingsObject : public Napi::ObjectWrap<TrainSettingsObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  /// INVALID_TYPE for anything but settings.
  static const train::TrainConfig& unwrap(const Napi::Value& value);

  explicit TrainSettingsObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value toJson(const Napi::CallbackInfo& info);

  train::TrainConfig config_;
};

}  // namespace jcs::binding
