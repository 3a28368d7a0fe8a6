#include "binding/training.h"

#include <deque>
#include <nlohmann/json.hpp>

#include "binding/addon_data.h"
#include "binding/cancellation.h"
#include "binding/convert.h"
#include "binding/dataset_object.h"
#include "binding/model_object.h"
#include "diagnosis/evaluate.h"
#include "train/trainer.h"

namespace jcs {

namespace {

using Json = nlohmann::json;

/// Carries events to a JavaScript callback. Progress overwrites progress of its phase that was not delivered yet, so a
/// busy event loop neither slows the work nor makes a queue grow; events that say something for good are all delivered.
class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(std::shared_ptr<JsThread> thread, Napi::Function callback)
      : thread_(std::move(thread)), callback_(std::make_shared<Napi::FunctionReference>(Napi::Persistent(callback))) {}

  void emit(const Json& event, bool keep) {
    {
      const std::lock_guard lock(mutex_);
      const bool replaces = !waiting_.empty() && !waiting_.back().keep && waiting_.back().phase == event["phase"];
      if (replaces) waiting_.pop_back();
      waiting_.push_back({event["phase"], event.dump(), keep});
      if (posted_) return;
      posted_ = true;
    }
    thread_->post([self = shared_from_this()](Napi::Env env) { self->deliver(env); });
  }
  /// On the JavaScript thread, before the result settles.
  void deliver(Napi::Env env) {
    std::deque<Waiting> events;
    {
      const std::lock_guard lock(mutex_);
      events.swap(waiting_);
      posted_ = false;
    }
    for (const Waiting& event : events) callback_->Value().Call({Napi::String::New(env, event.json)});
  }

 private:
  struct Waiting {
    std::string phase, json;
    bool keep;
  };
  std::shared_ptr<JsThread> thread_;
  std::shared_ptr<Napi::FunctionReference> callback_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;
  bool posted_ = false;
};

Json metricsJson(const Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;  // NaN becomes null
  return json;
}

Json toJson(const TrainEvent& event) {
  Json json{{"epoch", event.epoch},
            {"epochs", event.epochs},
            {"iteration", event.iteration},
            {"iterations", event.iterations}};
  switch (event.phase) {
    case TrainEvent::Phase::kCompile: return {{"phase", "compile"}, {"done", 0}, {"total", 1}};
    case TrainEvent::Phase::kTrain:
      json.update({{"phase", "train"},
                   {"done", event.iteration},
                   {"total", event.iterations},
                   {"loss", event.loss},
                   {"losses", event.losses},
                   {"learningRate", event.learningRate},
                   {"samplesPerSecond", event.samplesPerSecond},
                   {"etaMs", event.etaMs}});
      break;
    case TrainEvent::Phase::kValidate:
      json.update({{"phase", "validate"}, {"done", event.done}, {"total", event.total}});
      if (!event.metrics.empty()) json["metrics"] = metricsJson(event.metrics);
      break;
    case TrainEvent::Phase::kCheckpoint:
      json.update(
          {{"phase", "checkpoint"}, {"done", event.iteration}, {"total", event.iterations}, {"path", event.path}});
      break;
  }
  return json;
}

bool keeps(const TrainEvent& event) {
  return event.phase == TrainEvent::Phase::kCheckpoint || event.phase == TrainEvent::Phase::kCompile ||
         (event.phase == TrainEvent::Phase::kValidate && !event.metrics.empty());
}

Deferred::Convert text(std::string json, std::shared_ptr<EventStream> events) {
  return [json = std::move(json), events](Napi::Env env) -> Napi::Value {
    events->deliver(env);
    return Napi::String::New(env, json);
  };
}

Napi::Function toFunction(const Napi::Value& value) {
  require(value.IsFunction(), errors::kInvalidType, "onEvent must be a function");
  return value.As<Napi::Function>();
}

Napi::Value train(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    AddonData& data = AddonData::of(info.Env());
    auto model = ModelObject::unwrap(info[0]);
    model->requireAlive();
    auto dataset = DatasetObject::unwrap(info[1]);
    std::shared_ptr<PackedDataset> validation;
    if (!info[2].IsUndefined()) validation = DatasetObject::unwrap(info[2]);
    TrainConfig config = trainConfigFromJson(toString(info[3], "options"), model->task());
    auto events = std::make_shared<EventStream>(data.thread, toFunction(info[5]));
    const auto deferred = Deferred::create(info.Env(), data.thread);
    auto token = std::make_shared<PendingWork::Token>(data.pending, toCancelFlag(info[4]));
    // A thread of its own: a run takes hours and must not hold one of the pool's.
    std::thread([=]() mutable {
      deferred->settle([&] {
        Trainer trainer(model, std::move(config), dataset, validation);
        const TrainOutcome outcome = trainer.run(
            [&](const TrainEvent& event) { events->emit(toJson(event), keeps(event)); }, token->flag().get());
        const Json json{{"metrics", metricsJson(outcome.metrics)},
                        {"checkpoint", outcome.checkpoint},
                        {"iterations", outcome.iterations},
                        {"microBatch", outcome.microBatch},
                        {"warnings", outcome.warnings}};
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

Napi::Value evaluateModel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    AddonData& data = AddonData::of(info.Env());
    auto model = ModelObject::unwrap(info[0]);
    model->requireAlive();
    auto dataset = DatasetObject::unwrap(info[1]);
    const auto batchSize = static_cast<int64_t>(toNumber(info[2], "batchSize"));
    require(batchSize >= 1 && batchSize <= 4096, errors::kInvalidArgument, "batchSize must be between 1 and 4096");
    auto events = std::make_shared<EventStream>(data.thread, toFunction(info[4]));
    return data.run(info.Env(), toCancelFlag(info[3]), [=](const CancelFlag& flag) {
      const auto progress = [&](size_t done, size_t total) {
        events->emit({{"phase", "evaluate"}, {"done", done}, {"total", total}}, false);
      };
      Json json;
      if (model->task() == Task::kClassification)
        json["probabilities"] = infectionProbabilities(*model, *dataset, batchSize, progress, flag.get());
      else
        json["metrics"] = metricsJson(evaluate(*model, *dataset, batchSize, progress, flag.get()));
      return text(json.dump(), events);
    });
  });
}

}  // namespace

void defineTraining(Napi::Env env, Napi::Object exports) {
  exports.Set("train", Napi::Function::New(env, train));
  exports.Set("evaluate", Napi::Function::New(env, evaluateModel));
  exports.Set("trainSettings", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(), [&] {
                  const std::string task = toString(info[0], "task");
                  require(task == "classification" || task == "segmentation", errors::kInvalidArgument,
                          [&] { return "task must be 'classification' or 'segmentation', got '" + task + "'"; });
                  const TrainConfig config =
                      trainConfigFromJson(toString(info[1], "options"),
                                          task == "classification" ? Task::kClassification : Task::kSegmentation);
                  return Napi::String::New(info.Env(), toJson(config));
                });
              }));
}

}  // namespace jcs
