#include "binding/metrics.h"

#include "binding/convert.h"
#include "binding/js_thread.h"
#include "metrics/metrics.h"

namespace jcs {

namespace {

std::span<const float> toFloats(const Napi::Value& value, const char* what) {
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array,
          errors::kInvalidType, [&] { return std::string(what) + " must be a Float32Array"; });
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.ElementLength()};
}

std::span<const uint8_t> toBytes(const Napi::Value& value, const char* what) {
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array,
          errors::kInvalidType, [&] { return std::string(what) + " must be a Uint8Array"; });
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ElementLength()};
}

Napi::Value fromMetrics(Napi::Env env, const Metrics& metrics) {
  const auto object = Napi::Object::New(env);
  for (const auto& [name, value] : metrics) object.Set(name, value);
  return object;
}

}  // namespace

void defineMetrics(Napi::Env env, Napi::Object exports) {
  exports.Set("segmentationMetrics", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(), [&] {
                  return fromMetrics(
                      info.Env(), segmentationMetrics(toFloats(info[0], "probabilities"), toBytes(info[1], "truth")));
                });
              }));
  exports.Set("classificationMetrics", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(), [&] {
                  return fromMetrics(
                      info.Env(), classificationMetrics(toFloats(info[0], "probabilities"), toBytes(info[1], "labels"),
                                                        toNumber(info[2], "threshold")));
                });
              }));
}

}  // namespace jcs
