#include "binding/training.h"

#include "binding/addon_data.h"
#include "binding/cancellation.h"
#include "binding/convert.h"
#include "binding/event_stream.h"
#include "binding/model_object.h"
#include "binding/slice_store_object.h"
#include "binding/train_settings_object.h"
#include "communication/loader.h"
#include "core/json.h"
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

/// How many processes train together and which of them this is: { rank, ranks }. Waits for all of them, who count on
/// this one from then on until it has trained.
Napi::Value joinRanks(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return AddonData::of(info.Env()).run(info.Env(), toCancelFlag(info.Env().Undefined()), [](const CancelFlag&) {
      communication::Communicator& communicator = communication::openCommunicator();
      communicator.setNeeded(true);
      return [rank = communicator.rank(), ranks = communicator.ranks()](Napi::Env env) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("rank", rank);
        result.Set("ranks", ranks);
        return result;
      };
    });
  });
}

/// Tells the other ranks that this one goes no further, and why.
Napi::Value leaveRanks(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string reason = toString(info[0], "reason");
    return AddonData::of(info.Env()).run(info.Env(), toCancelFlag(info.Env().Undefined()), [=](const CancelFlag&) {
      communication::openCommunicator().leave(reason);
      return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
    });
  });
}

/// Trains; a rank that fails says so to the others even when its environment has ended meanwhile.
train::TrainOutcome trainAsRank(train::Trainer& trainer, const train::Trainer::Sink& sink,
                                const std::atomic<bool>* cancelled, communication::Communicator* communicator) {
  try {
    train::TrainOutcome outcome = trainer.run(sink, cancelled);
    if (communicator != nullptr) communicator->setNeeded(false);
    return outcome;
  } catch (const std::exception& error) {
    if (communicator != nullptr) communicator->leave(error.what());
    throw;
  }
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
    communication::Communicator* communicator =
        toBoolean(info[6], "distributed") ? &communication::openCommunicator() : nullptr;
    const auto deferred = Deferred::create(info.Env(), data.thread);
    auto token = std::make_shared<PendingWork::Token>(data.pending, toCancelFlag(info[4]));
    // A thread of its own: a run takes hours and must not hold one of the pool's.
    auto run = [=]() mutable {
      deferred->settle([&] {
        train::Trainer trainer(model, std::move(config), dataset, validation, communicator);
        const train::TrainOutcome outcome = trainAsRank(
            trainer, [&](const train::TrainEvent& event) { events->emit(toJson(event), keeps(event)); },
            token->flag().get(), communicator);
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
    };
    try {
      std::thread(std::move(run)).detach();  // the token is what the environment waits for
    } catch (...) {                          // the system refuses a thread
      deferred->reject(currentError());
    }
    return deferred->promise();
  });
}

}  // namespace

void defineTraining(Napi::Env env, Napi::Object exports) {
  exports.Set("train", Napi::Function::New(env, train));
  exports.Set("joinRanks", Napi::Function::New(env, joinRanks));
  exports.Set("leaveRanks", Napi::Function::New(env, leaveRanks));
}

}  // namespace jcs::binding
