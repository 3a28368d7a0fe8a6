#include "binding/metrics.h"

#include "binding/convert.h"
#include "binding/js_thread.h"
#include "metrics/metrics.h"

namespace jcs {

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
