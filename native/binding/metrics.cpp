#include "binding/metrics.h"

#include "binding/convert.h"
#include "binding/js_thread.h"
#include "metrics/explanation.h"

namespace jcs::binding {

Napi::Value fromIntervals(Napi::Env env, const metrics::Intervals& intervals) {
  const auto object = Napi::Object::New(env);
  for (const auto& [name, interval] : intervals) {
    const auto pair = Napi::Array::New(env, 2);
    pair.Set(uint32_t{0}, interval.low);
    pair.Set(uint32_t{1}, interval.high);
    object.Set(name, pair);
  }
  return object;
}

Napi::Value fromResamples(Napi::Env env, const metrics::Resamples& resamples) {
  const auto object = Napi::Object::New(env);
  for (const auto& [name, values] : resamples) {
    const auto list = Napi::Array::New(env, values.size());
    for (size_t i = 0; i < values.size(); ++i) list.Set(static_cast<uint32_t>(i), values[i]);
    object.Set(name, list);
  }
  return object;
}

Napi::Value fromReliability(Napi::Env env, const std::vector<metrics::ReliabilityBin>& bins) {
  const auto list = Napi::Array::New(env);
  for (const metrics::ReliabilityBin& bin : bins) {
    const auto object = Napi::Object::New(env);
    object.Set("low", bin.low);
    object.Set("high", bin.high);
    object.Set("samples", static_cast<double>(bin.samples));
    object.Set("meanProbability", bin.meanProbability);
    object.Set("positives", bin.positives);
    list.Set(list.Length(), object);
  }
  return list;
}

void defineMetrics(Napi::Env env, Napi::Object exports) {
  exports.Set(
      "segmentationMetrics", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
        return guarded(info.Env(), [&] {
          metrics::PixelGrid grid{toWhole(info[3], "height", 1, 1000000), toWhole(info[2], "width", 1, 1000000)};
          if (!info[4].IsUndefined()) {
            grid.rowSpacing = toNumber(info[4], "row spacing");
            grid.columnSpacing = toNumber(info[5], "column spacing");
            grid.inMm = true;
          }
          const auto truth = toBytes(info[1], "truth");
          require(std::ssize(truth) == grid.height * grid.width, errors::kShapeMismatch,
                  "width and height are not the truth's");
          return fromMetrics(info.Env(), metrics::segmentationMetrics(toFloats(info[0], "probabilities"), truth, grid));
        });
      }));
  exports.Set("classificationMetrics", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(), [&] {
                  return fromMetrics(info.Env(), metrics::classificationMetrics(toFloats(info[0], "probabilities"),
                                                                                toBytes(info[1], "labels"),
                                                                                toNumber(info[2], "threshold")));
                });
              }));
  exports.Set("reliabilityDiagram", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(), [&] {
                  return fromReliability(info.Env(), metrics::reliabilityDiagram(toFloats(info[0], "probabilities"),
                                                                                 toBytes(info[1], "labels"),
                                                                                 toWhole(info[2], "bins", 1, 1000)));
                });
              }));
  exports.Set("explanationMetrics", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(), [&] {
                  const auto lungs =
                      info[4].IsUndefined() ? std::span<const uint8_t>() : std::span(toBytes(info[4], "lungs"));
                  return fromMetrics(info.Env(),
                                     metrics::explanationMetrics(toFloats(info[0], "map"), toBytes(info[1], "lesions"),
                                                                 lungs, toWhole(info[2], "width", 1, 1000000),
                                                                 toWhole(info[3], "height", 1, 1000000)));
                });
              }));
}

}  // namespace jcs::binding
