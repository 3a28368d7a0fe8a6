#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diagnosis/evaluate.h"
#include "model/parameters.h"
#include "train/checkpoint.h"
#include "train/task_loss.h"
#include "train/train_settings.h"

namespace jcs::train {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

data::LoaderOptions loaderOptions(const TrainConfig& config) {
  data::LoaderOptions options;
  options.batchSize = config.batchSize;
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

std::vector<std::string> outputNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& [name, value] : graph.outputs()) names.push_back(name);
  return names;
}

}  // namespace

/// What Dice, and equation (4), sum over a batch.
struct Trainer::BatchSums {
  std::vector<float> intersections, sums;  ///< by side output
  float annotated = 0;

  explicit BatchSums(int64_t sides) : intersections(static_cast<size_t>(sides)), sums(static_cast<size_t>(sides)) {}
  void add(const BatchSums& other, float sign = 1) {
    for (size_t i = 0; i < sums.size(); ++i) {
      intersections[i] += sign * other.intersections[i];
      sums[i] += sign * other.sums[i];
    }
    annotated += sign * other.annotated;
  }
};

/// The compiled programs of a training step: one for the whole batch, or those of its parts.
struct Trainer::Step {
  struct Part {
    std::shared_ptr<compiler::Program>
        statistics;  ///< null where nothing is summed over the batch before gradients are
    std::shared_ptr<compiler::Program> accumulate;
  };
  int64_t microBatch = 0;
  std::shared_ptr<compiler::Program> whole;
  std::map<int64_t, Part> parts;  ///< by number of samples: the last part may be smaller
  std::shared_ptr<compiler::Program> update;
  std::vector<std::string> losses;  ///< outputs of `whole`, or of `accumulate`: the total and its terms
};

/// A part of a batch that is too large for memory.
struct Trainer::Part {
  data::Batch batch;
  float share;  ///< of the batch's samples
  BatchSums own;
};

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
                 std::shared_ptr<const data::SliceStore> validation)
    : model_(std::move(model)),
      config_(std::move(config)),
      train_(std::move(train)),
      validation_(std::move(validation)) {
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
  sides_ = diceSides(model_->spec(), config_);
  loader_ = std::make_unique<data::Loader>(train_, loaderOptions(config_));
  const model::ModelMetadata metadata = model_->metadata();
  inputs_ = std::make_unique<BatchInputs>(model_->spec(), config_,
                                          data::Normalization{metadata.mean, metadata.deviation}, *loader_);
  loss_ = taskLoss(model_->spec(), config_, inputs_->source());
  batch_ = std::min<int64_t>(config_.batchSize, static_cast<int64_t>(train_->size()));
  iterationsPerEpoch_ = loader_->batchesPerEpoch();
  iterations_ = config_.iterations.value_or(config_.epochs * iterationsPerEpoch_);
}

Trainer::~Trainer() = default;

/// Moments and gradient sums that a graph mentions start at zero; what a checkpoint brought stays.
void Trainer::addMissingStates(const Graph& graph) {
  for (const ValueInfo& info : graph.values())
    if (info.kind == ValueInfo::Kind::kState && !model_->states().contains(info.name))
      model_->states().set(info.name, Tensor::zeros(info.type.dtype, info.type.shape));
}

std::shared_ptr<Trainer::Step> Trainer::compileStep(int64_t microBatch) {
  const auto compile = [&](const std::unique_ptr<Graph>& graph) {
    addMissingStates(*graph);  // first, so that the program is told of the memory that they leave
    return std::make_shared<compiler::Program>(*graph, model_->engine().sharedBackend(), model_->compileOptions());
  };
  auto step = std::make_shared<Step>();
  step->microBatch = microBatch;
  if (microBatch >= batch_) {
    const auto graph = stepGraph(loss_, batch_, config_.optimizer);
    step->losses = outputNames(*graph);
    step->whole = compile(graph);
    return step;
  }
  step->update = compile(updateGraph(loss_, microBatch, config_.optimizer));
  for (const int64_t samples : {microBatch, batch_ % microBatch}) {
    if (samples == 0 || step->parts.contains(samples)) continue;
    Step::Part& part = step->parts[samples];
    if (sides_ > 0) part.statistics = compile(statisticsGraph(loss_, samples, sides_));
    if (inputs_->needsAnnotated()) part.statistics = compile(inputs_->annotatedGraph(samples));
    const auto graph = accumulateGraph(loss_, samples, sides_);
    step->losses = outputNames(*graph);
    part.accumulate = compile(graph);
  }
  return step;
}

void Trainer::compile() {
  int64_t microBatch = config_.microBatch > 0 ? std::min(config_.microBatch, batch_) : batch_;
  for (;;) {
    try {
      step_ = compileStep(microBatch);
      return;
    } catch (const Error& error) {
      if (error.code() != errors::kOutOfMemory || config_.microBatch > 0 || microBatch == 1) throw;
      microBatch = (microBatch + 1) / 2;
    }
  }
}

void Trainer::runProgram(compiler::Program& program, const compiler::Bindings& bindings,
                         const std::atomic<bool>* cancelled) {
  model_->engine().runAndWait([&] {
    model_->requireAlive();  // here, where disposing happens, it cannot change before the program is through
    model_->engine().run(program, model_->states(), bindings, cancelled);
  });
}

Trainer::Losses Trainer::readLosses(compiler::Program& program, compiler::Bindings& bindings,
                                    const std::atomic<bool>* cancelled) {
  std::map<std::string, float> read;
  for (const std::string& name : step_->losses) bindings.output(name, read[name]);
  runProgram(program, bindings, cancelled);
  return {read.begin(), read.end()};
}

Trainer::Losses Trainer::step(const data::Batch& batch, double learningRate, int64_t iteration,
                              const std::atomic<bool>* cancelled) {
  invariant(batch.size() == batch_, "a step is compiled for another batch");
  const std::vector<float> hyper = hyperParameters(config_.optimizer, learningRate, iteration + 1);
  if (!step_->whole) return stepInParts(batch, hyper, cancelled);
  compiler::Bindings bindings;
  inputs_->bind(batch, bindings);
  bindings.input(kHyperInput, hyper);
  return readLosses(*step_->whole, bindings, cancelled);
}

Trainer::Losses Trainer::stepInParts(const data::Batch& batch, std::span<const float> hyper,
                                     const std::atomic<bool>* cancelled) {
  std::vector<Part> parts = partsOf(batch);
  BatchSums all(sides_);
  for (Part& part : parts) {
    measure(part, cancelled);
    all.add(part.own);
  }
  if (cancelled != nullptr && *cancelled) fail(errors::kCancelled, "the training was cancelled");
  // From here on the step is completed: gradients are being summed up.
  clearGradients();
  Losses losses;
  for (const Part& part : parts) {
    BatchSums others = all;
    others.add(part.own, -1);
    // Dice is the whole batch's in every part; everything else is the part's share.
    for (const auto& [name, value] : accumulate(part, others))
      losses[name] = name == kDiceTerm ? value : losses[name] + value;
  }
  losses[kLossOutput] = 0;
  for (const auto& [name, value] : losses)
    if (name != kLossOutput) losses[kLossOutput] += value;
  compiler::Bindings bindings;
  bindings.input(kHyperInput, hyper);
  runProgram(*step_->update, bindings);
  return losses;
}

std::vector<Trainer::Part> Trainer::partsOf(const data::Batch& batch) const {
  std::vector<Part> parts;
  for (int64_t first = 0; first < batch.size(); first += step_->microBatch) {
    const int64_t count = std::min(step_->microBatch, batch.size() - first);
    const float share = static_cast<float>(count) / static_cast<float>(batch.size());
    parts.push_back({batch.part(first, count), share, BatchSums(sides_)});
  }
  return parts;
}

/// The part's own sums, where a loss needs those of the batch.
void Trainer::measure(Part& part, const std::atomic<bool>* cancelled) {
  const auto& statistics = step_->parts.at(part.batch.size()).statistics;
  if (!statistics) return;
  const BatchSums none(sides_);
  compiler::Bindings bindings;
  bindPart(part, none, bindings);
  if (sides_ > 0) {
    bindings.output(kIntersectionsOutput, part.own.intersections);
    bindings.output(kSumsOutput, part.own.sums);
  } else {
    bindings.output(BatchInputs::kAnnotatedOutput, {&part.own.annotated, 1});
  }
  runProgram(*statistics, bindings, cancelled);
}

/// Adds the part's gradients to those of the batch, of whose other parts `others` are the sums.
Trainer::Losses Trainer::accumulate(const Part& part, const BatchSums& others) {
  compiler::Bindings bindings;
  bindPart(part, others, bindings);
  return readLosses(*step_->parts.at(part.batch.size()).accumulate, bindings, nullptr);
}

void Trainer::bindPart(const Part& part, const BatchSums& others, compiler::Bindings& bindings) const {
  inputs_->bind(part.batch, bindings);
  bindings.input(MicroBatch::kShareInput, {&part.share, 1});
  if (sides_ > 0) {
    bindings.input(MicroBatch::kIntersectionRestInput, others.intersections);
    bindings.input(MicroBatch::kSumRestInput, others.sums);
  }
  if (inputs_->needsAnnotated()) bindings.input(BatchInputs::kAnnotatedRestInput, {&others.annotated, 1});
}

void Trainer::clearGradients() {
  model_->engine().runAndWait([&] {
    model_->requireAlive();
    for (const auto& [name, entry] : model_->states().entries())
      if (name.starts_with(kGradientPrefix))
        model_->states().set(name, Tensor::zeros(entry.type.dtype, entry.type.shape));
  });
}

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
  const Averaged averaged(*this);
  event.metrics = diagnosis::evaluate(*model_, *validation_, batch, progress, cancelled);
  if (best_) best_->consider(event.metrics, event.iteration);
  sink(event);
  return event.metrics;
}

void Trainer::dropTrainingState() {
  model_->engine().runAndWait([&] {
    std::vector<std::string> names;
    for (const auto& [name, entry] : model_->states().entries())
      if (name.find(model::kTrainingStateSeparator) != std::string::npos) names.push_back(name);
    for (const std::string& name : names) model_->states().erase(name);
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
    compile();
  });
  outcome.microBatch = step_->microBatch;
  if (!config_.best.metric.empty()) best_ = std::make_unique<BestWeights>(*model_, config_.best, position.best);
  loader_->seek(position.iteration / iterationsPerEpoch_, position.iteration % iterationsPerEpoch_);

  const auto start = Clock::now();
  const int64_t firstIteration = position.iteration;
  while (position.iteration < iterations_ && !(best_ && best_->hasStalled())) {
    model_->requireAlive();
    const data::Batch batch = loader_->next(cancelled);
    event.learningRate = learningRateAt(config_.schedule, position.iteration, iterationsPerEpoch_, iterations_);
    event.losses = step(batch, event.learningRate, position.iteration, cancelled);
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
    event.samplesPerSecond = done * static_cast<double>(batch_) / elapsed;
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
    if (!checkpoint.directory.empty() && (due || last)) {
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
