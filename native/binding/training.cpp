#include "binding/training.h"

#include <nlohmann/json.hpp>

#include "binding/addon_data.h"
#include "binding/cancellation.h"
#include "binding/convert.h"
#include "binding/event_stream.h"
#include "binding/model_object.h"
#include "binding/slice_store_object.h"
#include "binding/train_settings_object.h"
#include "train/trainer.h"

namespace jcs::binding {

namespace {

using Json = nlohmann::json;

Json metricsJson(const metrics::Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;  // NaN becomes null
  return json;
}

Json toJson(const train::TrainEvent& event) {
  Json json{{"epoch", event.epoch},
            {"epochs", event.epochs},
            {"iteration", event.iteration},
            {"iterations", event.iterations}};
  switch (event.phase) {
    case train::TrainEvent::Phase::kCompile: return {{"phase", "compile"}, {"done", 0}, {"total", 1}};
    case train::TrainEvent::Phase::kTrain:
      json.update({{"phase", "train"},
                   {"done", event.iteration},
                   {"total", event.iterations},
                   {"loss", event.loss},
                   {"losses", event.losses},
                   {"learningRate", event.learningRate},
                   {"samplesPerSecond", event.samplesPerSecond},
                   {"etaMs", event.etaMs}});
      break;
    case train::TrainEvent::Phase::kValidate:
      json.update({{"phase", "validate"}, {"done", event.done}, {"total", event.total}});
      if (!event.metrics.empty()) json["metrics"] = metricsJson(event.metrics);
      break;
    case train::TrainEvent::Phase::kCheckpoint:
      json.update(
          {{"phase", "checkpoint"}, {"done", event.iteration}, {"total", event.iterations}, {"path", event.path}});
      break;
  }
  return json;
}

bool keeps(const train::TrainEvent& event) {
  return event.phase == train::TrainEvent::Phase::kCheckpoint || event.phase == train::TrainEvent::Phase::kCompile ||
         (event.phase == train::TrainEvent::Phase::kValidate && !event.metrics.empty());
}

Deferred::Convert text(std::string json, std::shared_ptr<EventStream> events) {
  return [json = std::move(json), events](Napi::Env env) -> Napi::Value {
    events->deliver(env);
    return Napi::String::New(env, json);
  };
}

Napi::Value train(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    AddonData& data = AddonData::of(info.Env());
    auto model = ModelObject::unwrap(info[0]);
    model->requireAlive();
    auto dataset = SliceStoreObject::unwrap(info[1]);
    std::shared_ptr<data::SliceStore> validation;
    if (!info[2].IsUndefined()) validation = SliceStoreObject::unwrap(info[2]);
    train::TrainConfig config = TrainSettingsObject::unwrap(info[3]);
    require(config.task == model->task(), errors::kInvalidArgument, "the settings are of another task than the model");
    auto events = std::make_shared<EventStream>(data.thread, info[5]);
    const auto deferred = Deferred::create(info.Env(), data.thread);
    auto token = std::make_shared<PendingWork::Token>(data.pending, toCancelFlag(info[4]));
    // A thread of its own: a run takes hours and must not hold one of the pool's.
    std::thread([=]() mutable {
      deferred->settle([&] {
        train::Trainer trainer(model, std::move(config), dataset, validation);
        const train::TrainOutcome outcome = trainer.run(
            [&](const train::TrainEvent& event) { events->emit(toJson(event), keeps(event)); }, token->flag().get());
        Json json{{"metrics", metricsJson(outcome.metrics)},
                  {"checkpoint", outcome.checkpoint},
                  {"iterations", outcome.iterations},
                  {"microBatch", outcome.microBatch},
                  {"warnings", outcome.warnings}};
        if (outcome.best) json["bestIteration"] = outcome.best->iteration;
        return text(json.dump(), events);
      });
      model.reset();
      dataset.reset();
      validation.reset();
      token.reset();
    }).detach();  // the token is what the environment waits for
    return deferred->promise();
  });
}

}  // namespace

void defineTraining(Napi::Env env, Napi::Object exports) { exports.Set("train", Napi::Function::New(env, train)); }

}  // namespace jcs::binding
