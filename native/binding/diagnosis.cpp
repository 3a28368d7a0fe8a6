#include "binding/diagnosis.h"

#include "binding/cancellation.h"
#include "binding/convert.h"
#include "binding/event_stream.h"
#include "binding/metrics.h"
#include "binding/model_object.h"
#include "binding/requests.h"
#include "binding/slice_store_object.h"
#include "core/json.h"
#include "diagnosis/calibrate.h"
#include "diagnosis/quantize.h"

namespace jcs::binding {

namespace {

Napi::Value decide(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto scores = toFloats(info[0], "scores");
    const diagnosis::CaseRule rule{toNumber(info[1], "scoreThreshold"), toWhole(info[2], "sliceThreshold", 0),
                                   toBoolean(info[3], "isPhysical")};
    const diagnosis::CaseDecision decision = diagnosis::decideCase(scores, rule);
    const auto object = Napi::Object::New(info.Env());
    object.Set("positive", decision.positive);
    object.Set("positiveSlices", static_cast<double>(decision.positiveSlices));
    const auto positives = Napi::Array::New(info.Env(), scores.size());
    for (uint32_t i = 0; i < scores.size(); ++i)
      positives.Set(i, Napi::Boolean::New(info.Env(), rule.isPositiveSlice(scores[i])));
    object.Set("isPositive", positives);
    object.Set("warnings", fromStrings(info.Env(), decision.warnings));
    return object;
  });
}

Napi::Value requireDecidableCase(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    diagnosis::requireDecidable(toWhole(info[0], "slices", 0), toWhole(info[1], "defaultSliceThreshold", 0));
    return info.Env().Undefined();
  });
}

Napi::Value fromCase(Napi::Env env, const diagnosis::PatientCase& one) {
  const auto object = Napi::Object::New(env);
  object.Set("patient", one.patient);
  object.Set("infected", one.infected);
  object.Set("slices", static_cast<double>(one.slices));
  object.Set("positiveSlices", static_cast<double>(one.positiveSlices));
  return object;
}

Napi::Value fromScores(Napi::Env env, const diagnosis::CaseScores& scores) {
  const auto object = Napi::Object::New(env);
  object.Set("sliceThreshold", static_cast<double>(scores.sliceThreshold));
  for (const auto& [name, value] : scores.metrics) object.Set(name, value);
  object.Set("intervals", fromIntervals(env, scores.intervals));
  return object;
}

/// PatientEvaluation of ts/evaluate.ts.
Napi::Value fromCases(Napi::Env env, const std::vector<diagnosis::PatientCase>& cases,
                      const std::vector<diagnosis::CaseScores>& scores) {
  const auto list = Napi::Array::New(env), sweep = Napi::Array::New(env);
  int64_t infected = 0;
  for (const diagnosis::PatientCase& one : cases) {
    list.Set(list.Length(), fromCase(env, one));
    infected += one.infected;
  }
  for (const diagnosis::CaseScores& one : scores) sweep.Set(sweep.Length(), fromScores(env, one));
  const auto object = Napi::Object::New(env);
  object.Set("infected", static_cast<double>(infected));
  object.Set("uninfected", static_cast<double>(std::ssize(cases) - infected));
  object.Set("thresholds", sweep);
  object.Set("cases", list);
  return object;
}

/// What goes over a dataset takes: model, dataset, batch size, cancellation, callback.
struct DatasetCall {
  std::shared_ptr<model::Model> model;
  std::shared_ptr<data::SliceStore> dataset;
  int64_t batchSize;
  CancelFlag flag;
  std::shared_ptr<EventStream> events;

  explicit DatasetCall(const Napi::CallbackInfo& info)
      : model(ModelObject::unwrap(info[0])),
        dataset(SliceStoreObject::unwrap(info[1])),
        batchSize(toBatchSize(info[2])),
        flag(toCancelFlag(info[3])),
        events(std::make_shared<EventStream>(AddonData::of(info.Env()).thread, info[4])) {
    model->requireAlive();
  }

  void report(size_t done, size_t total) const {
    events->emit({{"phase", "evaluate"}, {"done", done}, {"total", total}}, false);
  }
};

/// The same, and options.
struct EvaluationCall : DatasetCall {
  diagnosis::EvaluationOptions options;
  bool withResamples;

  explicit EvaluationCall(const Napi::CallbackInfo& info) : DatasetCall(info) {
    const Napi::Object given = toObject(info[5], "options");
    options.batchSize = batchSize;
    options.testTime = toTestTimeAugmentation(given);
    options.bootstrap.resamples = toWhole(given.Get("resamples"), "resamples", 0, 1000000);
    options.bootstrap.seed = static_cast<uint64_t>(toWhole(given.Get("bootstrapSeed"), "bootstrapSeed", 0));
    options.bootstrap.first = static_cast<size_t>(toWhole(given.Get("firstPatient"), "firstPatient", 0));
    options.bootstrap.population = static_cast<size_t>(toWhole(given.Get("patients"), "patients", 0));
    withResamples = toBoolean(given.Get("draws"), "draws");
  }

  /// `intervals`, and the resamples themselves as `draws` where they are asked for.
  void setResamples(Napi::Object object, const metrics::Resamples& resamples) const {
    object.Set("intervals", fromIntervals(object.Env(), metrics::intervalsOf(resamples)));
    if (withResamples) object.Set("draws", fromResamples(object.Env(), resamples));
  }
};

Napi::Value evaluateClassifierModel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const EvaluationCall call(info);
    const Napi::Object options = toObject(info[5], "options");
    const double threshold = toNumber(options.Get("threshold"), "threshold");
    diagnosis::ClassifierEvaluationOptions classifierOptions{call.options};
    classifierOptions.probabilityThreshold = threshold;
    classifierOptions.explain = true;
    const Napi::Value list = options.Get("sliceThresholds");
    require(list.IsArray(), errors::kInvalidType, "sliceThresholds must be an array");
    for (uint32_t i = 0; i < list.As<Napi::Array>().Length(); ++i)
      classifierOptions.sliceThresholds.push_back(
          toWhole(list.As<Napi::Array>().Get(i), "every one of sliceThresholds", 0));
    return AddonData::of(info.Env()).run(info.Env(), call.flag, [=](const CancelFlag& flag) {
      const auto progress = [&](size_t done, size_t total) { call.report(done, total); };
      const auto result = std::make_shared<diagnosis::ClassifierEvaluation>(
          diagnosis::evaluateClassifier(*call.model, *call.dataset, classifierOptions, progress, flag.get()));
      return Deferred::Convert([=](Napi::Env env) -> Napi::Value {
        call.events->deliver(env);
        const auto object = Napi::Object::New(env);
        object.Set("probabilities", fromFloats(env, result->probabilities));
        object.Set("metrics", fromMetrics(env, result->metrics));
        call.setResamples(object, result->resamples);
        object.Set("reliability", fromReliability(env, result->reliability));
        if (result->explained > 0) {
          const Napi::Object explanation = fromMetrics(env, result->explanation).As<Napi::Object>();
          explanation.Set("slices", static_cast<double>(result->explained));
          object.Set("explanation", explanation);
        }
        if (!result->cases.empty()) object.Set("patients", fromCases(env, result->cases, result->caseScores));
        return object;
      });
    });
  });
}

/// SliceScores of ts/evaluate.ts.
Napi::Value fromSlices(Napi::Env env, const std::vector<diagnosis::SliceScores>& slices) {
  const auto list = Napi::Array::New(env, slices.size());
  for (size_t i = 0; i < slices.size(); ++i) {
    const diagnosis::SliceScores& slice = slices[i];
    const auto object = Napi::Object::New(env);
    object.Set("index", static_cast<double>(slice.index));
    object.Set("dice", slice.dice);
    object.Set("iou", slice.iou);
    object.Set("lesions", static_cast<double>(slice.lesions));
    object.Set("areaPixels", static_cast<double>(slice.areaPixels));
    if (slice.areaMm2) object.Set("areaMm2", *slice.areaMm2);
    list.Set(static_cast<uint32_t>(i), object);
  }
  return list;
}

Napi::Value evaluateSegmenterModel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const EvaluationCall call(info);
    require(call.model->task() == networks::Task::kSegmentation, errors::kInvalidArgument,
            "evaluateSegmenter needs a segmentation network");
    return AddonData::of(info.Env()).run(info.Env(), call.flag, [=](const CancelFlag& flag) {
      const auto progress = [&](size_t done, size_t total) { call.report(done, total); };
      const auto result = std::make_shared<diagnosis::SegmenterEvaluation>(
          diagnosis::evaluateSegmenter(*call.model, *call.dataset, call.options, progress, flag.get()));
      return Deferred::Convert([=](Napi::Env env) -> Napi::Value {
        call.events->deliver(env);
        const auto object = Napi::Object::New(env);
        object.Set("metrics", fromMetrics(env, result->metrics));
        call.setResamples(object, result->resamples);
        object.Set("slices", fromSlices(env, result->slices));
        return object;
      });
    });
  });
}

Napi::Value fromCalibrationScores(Napi::Env env, const diagnosis::CalibrationScores& scores) {
  const auto object = Napi::Object::New(env);
  object.Set("negativeLogLikelihood", scores.negativeLogLikelihood);
  object.Set("ece", scores.ece);
  return object;
}

Napi::Value calibrateModel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const DatasetCall call(info);
    return AddonData::of(info.Env()).run(info.Env(), call.flag, [=](const CancelFlag& flag) {
      const auto progress = [&](size_t done, size_t total) { call.report(done, total); };
      const diagnosis::Calibration result =
          diagnosis::calibrate(*call.model, *call.dataset, call.batchSize, progress, flag.get());
      return Deferred::Convert([=](Napi::Env env) -> Napi::Value {
        call.events->deliver(env);
        const auto object = Napi::Object::New(env);
        object.Set("temperature", result.temperature);
        object.Set("isAtLimit", result.isAtLimit);
        object.Set("labelled", static_cast<double>(result.samples));
        object.Set("before", fromCalibrationScores(env, result.before));
        object.Set("after", fromCalibrationScores(env, result.after));
        return object;
      });
    });
  });
}

const char* nameOf(diagnosis::QuantizedLayer::Reason reason) {
  return reason == diagnosis::QuantizedLayer::Reason::kAccuracy ? "accuracy" : "speed";
}

Napi::Value fromQuantization(Napi::Env env, const diagnosis::QuantizationReport& report) {
  const auto layers = Napi::Array::New(env);
  for (const diagnosis::QuantizedLayer& layer : report.layers) {
    const auto one = Napi::Object::New(env);
    one.Set("name", layer.name);
    one.Set("low", layer.input.low);
    one.Set("high", layer.input.high);
    if (layer.leftFor) one.Set("leftFor", nameOf(*layer.leftFor));
    if (layer.change) one.Set("change", *layer.change);
    layers.Set(layers.Length(), one);
  }
  const auto object = Napi::Object::New(env);
  object.Set("layers", layers);
  object.Set("changeOfAll", report.changeOfAll);
  object.Set("change", report.change);
  return object;
}

Napi::Value quantizeModel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const DatasetCall call(info);
    const Napi::Object given = toObject(info[5], "options");
    diagnosis::QuantizeOptions options;
    options.batchSize = call.batchSize;
    options.largestChange = toNumber(given.Get("largestChange"), "largestChange");
    options.measuresSpeed = given.Has("measureSpeed") ? toBoolean(given.Get("measureSpeed"), "measureSpeed")
                                                      : call.model->engine().device().int8;
    return AddonData::of(info.Env()).run(info.Env(), call.flag, [=](const CancelFlag& flag) {
      const auto progress = [&](size_t done, size_t total) {
        call.events->emit({{"phase", "quantize"}, {"done", done}, {"total", total}}, false);
      };
      const auto report = diagnosis::quantize(*call.model, *call.dataset, options, progress, flag.get());
      return Deferred::Convert([=](Napi::Env env) -> Napi::Value {
        call.events->deliver(env);
        return fromQuantization(env, report);
      });
    });
  });
}

}  // namespace

void defineDiagnosis(Napi::Env env, Napi::Object exports) {
  exports.Set("decideCase", Napi::Function::New(env, decide));
  exports.Set("requireDecidable", Napi::Function::New(env, requireDecidableCase));
  exports.Set("evaluateClassifier", Napi::Function::New(env, evaluateClassifierModel));
  exports.Set("calibrate", Napi::Function::New(env, calibrateModel));
  exports.Set("quantize", Napi::Function::New(env, quantizeModel));
  exports.Set("evaluateSegmenter", Napi::Function::New(env, evaluateSegmenterModel));
}

}  // namespace jcs::binding
