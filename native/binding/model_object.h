#pragma once

#include "binding/addon_data.h"
#include "model/model.h"

namespace jcs::binding {

/// JavaScript class NativeModel (contract in ts/native.ts). Made by createModel and loadModel only.
class ModelObject : public Napi::ObjectWrap<ModelObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<model::Model> model);
  /// INVALID_TYPE for anything but a model.
  static std::shared_ptr<model::Model> unwrap(const Napi::Value& value);

  explicit ModelObject(const Napi::CallbackInfo& info);
  ~ModelObject() override;

 private:
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value parameters(const Napi::CallbackInfo& info);
  Napi::Value getParameter(const Napi::CallbackInfo& info);
  Napi::Value forward(const Napi::CallbackInfo& info);
  Napi::Value classify(const Napi::CallbackInfo& info);
  Napi::Value segment(const Napi::CallbackInfo& info);
  Napi::Value loadBackbone(const Napi::CallbackInfo& info);
  Napi::Value loadPretrained(const Napi::CallbackInfo& info);
  Napi::Value copyTrunk(const Napi::CallbackInfo& info);
  Napi::Value profile(const Napi::CallbackInfo& info);
  Napi::Value peaks(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value exportOnnx(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  template <typename Work>
  Napi::Value start(const Napi::CallbackInfo& info, const Napi::Value& cancellation, Work work);

  std::shared_ptr<model::Model> model_;
  int64_t reportedBytes_ = 0;  ///< what V8 was told that this object holds outside its heap
};

/// createModel(specJson, optionsJson) and loadModel(pathOrBytes, specJson?, optionsJson): promises of a NativeModel.
void defineModelFunctions(Napi::Env env, Napi::Object exports);

}  // namespace jcs::binding
