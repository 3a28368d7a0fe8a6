#include <napi.h>

#include "backend/loader.h"
#include "binding/addon_data.h"
#include "binding/cancellation.h"
#include "binding/diagnosis.h"
#include "binding/measurement.h"
#include "binding/metrics.h"
#include "binding/model_object.h"
#include "binding/results.h"
#include "binding/slice_store_object.h"
#include "binding/train_settings_object.h"
#include "binding/training.h"
#include "core/json.h"
#include "model/prepared_files.h"

namespace jcs::binding {

namespace {

Napi::Value devices(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    nlohmann::json json = nlohmann::json::array();
    for (const DeviceInfo& device : listDevices()) {
      nlohmann::json entry{{"name", device.name}, {"kind", device.kind}, {"available", device.available}};
      if (!device.reason.empty()) entry["reason"] = device.reason;
      if (device.available)
        entry.update({{"description", device.description},
                      {"isa", device.isa},
                      {"library", device.library},
                      {"memoryBytes", device.memoryBytes},
                      {"threads", device.threads},
                      {"bf16", device.bf16},
                      {"int8", device.int8},
                      {"tf32", device.tf32}});
      json.push_back(entry);
    }
    return Napi::String::New(info.Env(), json.dump());
  });
}

Napi::Value preparedFolder(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto folder = model::PreparedFolder::ofUser();
    const bool isUsable = folder.isUsable();
    const auto [files, bytes] = folder.contents();
    const nlohmann::json json{{"path", folder.path.string()},
                              {"limitBytes", folder.limitBytes},
                              {"isUsable", isUsable},
                              {"files", files},
                              {"bytes", bytes}};
    return Napi::String::New(info.Env(), json.dump());
  });
}

Napi::Value setPackage(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    setPackageFolder(info[0].ToString(), info[1].ToString());
    return info.Env().Undefined();
  });
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  AddonData::of(info.Env()).stop(std::chrono::seconds(info[0].ToNumber().Int32Value()));
  return info.Env().Undefined();
}

Napi::Value networkList(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    nlohmann::json json = nlohmann::json::array();
    for (const networks::NetworkInfo& network : networks::networks())
      json.push_back({{"name", network.name},
                      {"task", networks::nameOf(network.task)},
                      {"inputSize", network.inputSize},
                      {"combinesClassifier", network.classifierTrunk() != nullptr},
                      {"outputs", network.outputs}});
    return Napi::String::New(info.Env(), json.dump());
  });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData(env));
  CancellationObject::define(env, exports);
  ModelObject::define(env, exports);
  SliceStoreObject::define(env, exports);
  MaskObject::define(env, exports);
  defineModelFunctions(env, exports);
  defineDiagnosis(env, exports);
  TrainSettingsObject::define(env, exports);
  defineTraining(env, exports);
  defineMetrics(env, exports);
  defineMeasurement(env, exports);
  exports.Set("devices", Napi::Function::New(env, devices));
  exports.Set("preparedFolder", Napi::Function::New(env, preparedFolder));
  exports.Set("setPackageFolder", Napi::Function::New(env, setPackage));
  exports.Set("stop", Napi::Function::New(env, stop));
  exports.Set("networks", Napi::Function::New(env, networkList));
  return exports;
}

}  // namespace

NODE_API_MODULE(jcs, initialise)

}  // namespace jcs::binding
