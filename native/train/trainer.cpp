#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/json.h"
#include "diagnosis/evaluate.h"
#include "model/parameters.h"
#include "train/checkpoint.h"
#include "train/rank_exchange.h"
#include "train/task_loss.h"
#include "train/train_settings.h"

namespace jcs::train {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

data::LoaderOptions loaderOptions(const TrainConfig& config, int64_t rank) {
  data::LoaderOptions options;
  options.batchSize = config.batchSize * config.ranks;
  options.rank = rank;
  options.ranks = config.ranks;
  options.height = options.width = config.inputSize;
  options.window = config.window.value();
  options.augmentation = config.augmentation;
  options.seed = config.seed;
  options.threads = static_cast<int>(config.loaderThreads);
  options.balanced = config.sampling == Sampling::kBalanced;
  options.masks = config.task == networks::Task::kSegmentation;
  options.targets = config.task == networks::Task::kClassification;
  if (options.targets) {
    options.mixupAlpha = config.mixup.alpha;
    options.activationMasks = config.activationLoss;
  }
  return options;
}

}  // namespace

/// While it lives, the model is the average, if there is one.
struct Trainer::Averaged {
  Trainer& trainer;

  explicit Averaged(Trainer& t) : trainer(t) { exchange(); }
  ~Averaged() {
    try {
      exchange();
    } catch (...) {  // the device is gone, and the model with it
    }
  }
  void exchange() const {
    if (trainer.average_) trainer.model_->engine().runAndWait([&] { trainer.average_->exchange(); });
  }
};

Trainer::Trainer(std::shared_ptr<model::Model> model, TrainConfig config, std::shared_ptr<const data::SliceStore> train,
                 std::shared_ptr<const data::SliceStore> validation, communication::Communicator* communicator)
    : model_(std::move(model)),
      config_(std::move(config)),
      train_(std::move(train)),
      validation_(std::move(validation)),
      communicator_(communicator != nullptr && communicator->ranks() > 1 ? communicator : nullptr) {
  require(config_.task == model_->task(), errors::kInvalidArgument, [&] {
    return "network '" + model_->spec().network + "' is not made for task '" + networks::nameOf(config_.task) + "'";
  });
  const std::string& metric = config_.best.metric;
  if (!metric.empty()) {
    require(std::ranges::count(bestMetrics(config_.task), metric) == 1, errors::kInvalidArgument, [&] {
      return "options.best.metric is '" + metric + "', which is no metric of " + networks::nameOf(config_.task);
    });
    require(validation_ != nullptr, errors::kInvalidArgument,
            "options.best needs validation data; give data.validation or data.validationFraction");
  }
  if (!config_.window) config_.window = model_->metadata().window;
  if (communicator_ != nullptr) {
    config_.ranks = communicator_->ranks();
    const int64_t needed = config_.ranks * config_.batchSize;
    require(static_cast<int64_t>(train_->size()) >= needed, errors::kInvalidArgument, [&] {
      return std::to_string(config_.ranks) + " processes with batches of " + std::to_string(config_.batchSize) +
             " need at least " + std::to_string(needed) + " samples, there are " + std::to_string(train_->size()) +
             "; use fewer processes or a smaller batchSize";
    });
  }
  loader_ = std::make_unique<data::Loader>(train_, loaderOptions(config_, isFirstRank() ? 0 : communicator_->rank()));
  const model::ModelMetadata metadata = model_->metadata();
  inputs_ = std::make_unique<BatchInputs>(model_->spec(), config_,
                                          data::Normalization{metadata.mean, metadata.deviation}, *loader_);
  loss_ = taskLoss(model_->spec(), config_, inputs_->source());
  batch_ = std::min<int64_t>(config_.batchSize, static_cast<int64_t>(train_->size()));
  iterationsPerEpoch_ = loader_->batchesPerEpoch();
  iterations_ = config_.iterations.value_or(config_.epochs * iterationsPerEpoch_);
}

Trainer::~Trainer() = default;

metrics::Metrics Trainer::validate(const TrainEvent& at, const Sink& sink, const std::atomic<bool>* cancelled) {
  TrainEvent event = at;
  event.phase = TrainEvent::Phase::kValidate;
  event.losses.clear();
  const auto progress = [&](size_t done, size_t total) {
    event.done = static_cast<int64_t>(done);
    event.total = static_cast<int64_t>(total);
    if (done < total) sink(event);
  };
  const int64_t batch = std::min<int64_t>(config_.task == networks::Task::kClassification ? 16 : 4, batch_);
  const Averaged averaged(*this);  // also of what is kept as the best
  if (isFirstRank()) event.metrics = diagnosis::evaluate(*model_, *validation_, batch, progress, cancelled);
  if (communicator_ != nullptr) shareMetrics(*communicator_, event.metrics);
  if (best_) best_->consider(event.metrics, event.iteration);
  sink(event);
  return event.metrics;
}

void Trainer::dropTrainingState() {
  model_->engine().runAndWait([&] {
    model_->states().eraseIf(
        [](const std::string& name) { return name.find(model::kTrainingStateSeparator) != std::string::npos; });
  });
}

TrainOutcome Trainer::run(const Sink& sink, const std::atomic<bool>* cancelled) {
  TrainOutcome outcome;
  struct Cleanup {
    Trainer& trainer;
    ~Cleanup() {
      trainer.average_.reset();
      trainer.best_.reset();
      try {
        trainer.dropTrainingState();
      } catch (...) {  // the device is gone, and its state with it
      }
    }
  } const cleanup{*this};

  model_->setInputSize(config_.inputSize);
  model_->setWindow(config_.window.value());
  model_->setTemperature(1);  // one that was fitted to other weights says nothing of these
  TrainPosition position;
  if (!config_.resume.empty()) {
    Resumed resumed = resumeCheckpoint(*model_, config_, config_.resume);
    position = resumed.position;
    outcome.warnings = std::move(resumed.warnings);
  }
  TrainEvent event;
  event.epochs = (iterations_ + iterationsPerEpoch_ - 1) / iterationsPerEpoch_;
  event.iterations = iterations_;
  event.iteration = position.iteration;
  event.phase = TrainEvent::Phase::kCompile;
  sink(event);
  model_->engine().runAndWait([&] {
    model_->requireAlive();
    if (config_.ema.decay > 0) average_ = std::make_unique<WeightAverage>(*model_, config_.ema.decay);
    step_ = std::make_unique<TrainingStep>(*model_, config_, *inputs_, loss_, batch_, communicator_);
  });
  if (communicator_ != nullptr) shareStates(*communicator_, *model_);
  outcome.microBatch = step_->microBatch();
  if (!config_.best.metric.empty()) best_ = std::make_unique<BestWeights>(*model_, config_.best, position.best);
  loader_->seek(position.iteration / iterationsPerEpoch_, position.iteration % iterationsPerEpoch_);

  const auto start = Clock::now();
  const int64_t firstIteration = position.iteration;
  while (position.iteration < iterations_ && !(best_ && best_->hasStalled())) {
    model_->requireAlive();
    const data::Batch batch = loader_->next(cancelled);
    event.learningRate = learningRateAt(config_.schedule, position.iteration, iterationsPerEpoch_, iterations_);
    event.losses = step_->run(batch, event.learningRate, position.iteration, cancelled);
    event.loss = event.losses.at(kLossOutput);
    event.losses.erase(kLossOutput);
    require(std::isfinite(event.loss), errors::kDiverged, [&] {
      return "the loss is no longer finite at iteration " + std::to_string(position.iteration + 1) +
             " (learning rate " + std::to_string(event.learningRate) +
             "); lower the learning rate or add warm-up, and resume from the last "
             "checkpoint";
    });
    ++position.iteration;
    if (average_) model_->engine().runAndWait([&] { average_->update(position.iteration); });
    event.phase = TrainEvent::Phase::kTrain;
    event.iteration = position.iteration;
    event.epoch = (position.iteration - 1) / iterationsPerEpoch_ + 1;
    const double elapsed = secondsSince(start);
    const auto done = static_cast<double>(position.iteration - firstIteration);
    event.samplesPerSecond = done * static_cast<double>(batch_ * config_.ranks) / elapsed;
    event.etaMs = elapsed * 1000 / done * static_cast<double>(iterations_ - position.iteration);
    sink(event);

    bool last = position.iteration == iterations_;
    const bool epochEnd = position.iteration % iterationsPerEpoch_ == 0 || last;
    if (epochEnd && validation_ && (event.epoch % config_.validateEvery == 0 || last))
      outcome.metrics = validate(event, sink, cancelled);
    if (best_) {
      position.best = best_->position();
      last = last || best_->hasStalled();
    }
    const CheckpointOptions& checkpoint = config_.checkpoint;
    const bool due = checkpoint.everyIterations ? position.iteration % *checkpoint.everyIterations == 0
                                                : epochEnd && event.epoch % checkpoint.every == 0;
    if (!checkpoint.directory.empty() && (due || last) && isFirstRank()) {
      TrainEvent saved = event;
      saved.phase = TrainEvent::Phase::kCheckpoint;
      saved.path = outcome.checkpoint = writeCheckpoint(*model_, config_, position);
      sink(saved);
    }
  }
  outcome.iterations = position.iteration;
  if (average_) model_->engine().runAndWait([&] { average_->exchange(); });
  if (best_) {
    best_->restore();
    outcome.best = best_->position().validation;
    if (outcome.best)
      outcome.metrics = outcome.best->metrics;
    else
      outcome.warnings.push_back("no validation had a value for " + config_.best.metric +
                                 ": the model has the weights of the last step");
  }
  model_->setProvenance(trainSettings(config_).dump());
  return outcome;
}

}  // namespace jcs::train
