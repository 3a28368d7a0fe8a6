#include "train/training_step.h"

#include <algorithm>

#include "train/task_loss.h"

namespace jcs::train {

namespace {

std::vector<std::string> outputNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& [name, value] : graph.outputs()) names.push_back(name);
  return names;
}

}  // namespace

/// What Dice, and equation (4), sum over a batch.
struct TrainingStep::BatchSums {
  std::vector<float> intersections, sums;  ///< by side output
  float annotated = 0;

  explicit BatchSums(int64_t sides) : intersections(static_cast<size_t>(sides)), sums(static_cast<size_t>(sides)) {}
  /// Of all ranks.
  void sumWith(communication::Communicator& communicator) {
    std::vector<float> all = intersections;
    all.insert(all.end(), sums.begin(), sums.end());
    all.push_back(annotated);
    communicator.sum(all);
    const auto half = all.begin() + static_cast<std::ptrdiff_t>(sums.size());
    std::copy(all.begin(), half, intersections.begin());
    std::copy(half, all.end() - 1, sums.begin());
    annotated = all.back();
  }
  void add(const BatchSums& other, float sign = 1) {
    for (size_t i = 0; i < sums.size(); ++i) {
      intersections[i] += sign * other.intersections[i];
      sums[i] += sign * other.sums[i];
    }
    annotated += sign * other.annotated;
  }
};

/// One for the whole batch, or those of its parts.
struct TrainingStep::Programs {
  struct Part {
    /// Null where nothing is summed over the batch before gradients are.
    std::shared_ptr<compiler::Program> statistics;
    std::shared_ptr<compiler::Program> accumulate;
  };
  std::shared_ptr<compiler::Program> whole;
  std::map<int64_t, Part> parts;  ///< by number of samples: the last part may be smaller
  std::shared_ptr<compiler::Program> update;
  std::vector<std::string> losses;  ///< outputs of `whole`, or of `accumulate`: the total and its terms
};

/// A part of a batch that is too large for memory.
struct TrainingStep::Part {
  data::Batch batch;
  float share;  ///< of the batch's samples
  BatchSums own;
};

TrainingStep::TrainingStep(model::Model& model, const TrainConfig& config, const BatchInputs& inputs,
                           const LossBuilder& loss, int64_t batch, communication::Communicator* communicator)
    : model_(model),
      config_(config),
      inputs_(inputs),
      loss_(loss),
      communicator_(communicator),
      batch_(batch),
      sides_(diceSides(model.spec(), config)),
      microBatch_(config.microBatch > 0 ? std::min(config.microBatch, batch) : batch) {
  std::optional<Error> refused;
  while (!programs_) {
    try {
      programs_ = compiled(microBatch_);
    } catch (const Error& error) {
      // Batch norms may not take parts as small as would fit.
      if (refused && error.code() == errors::kBatchNormBatchTooSmall) throw Error(*refused);
      if (error.code() != errors::kOutOfMemory || config.microBatch > 0 || microBatch_ == 1) throw;
      refused = error;
    }
    if (communicator_ != nullptr && communicator_->any(!programs_)) programs_.reset();
    if (!programs_) microBatch_ = (microBatch_ + 1) / 2;
  }
}

TrainingStep::~TrainingStep() = default;

/// Moments and gradient sums that a graph mentions start at zero; what a checkpoint brought stays.
void TrainingStep::addMissingStates(const Graph& graph) {
  for (const ValueInfo& info : graph.values())
    if (info.kind == ValueInfo::Kind::kState && !model_.states().contains(info.name))
      model_.states().set(info.name, Tensor::zeros(info.type.dtype, info.type.shape));
}

std::unique_ptr<TrainingStep::Programs> TrainingStep::compiled(int64_t microBatch) {
  const auto compile = [&](const std::unique_ptr<Graph>& graph) {
    addMissingStates(*graph);  // first, so that the program is told of the memory that they leave
    compiler::CompileOptions options = model_.compileOptions();
    options.kernels.communicator = communicator_;
    options.kernels.staysPacked = false;  // each step changes the weights
    return std::make_shared<compiler::Program>(*graph, model_.engine().sharedBackend(), options);
  };
  auto programs = std::make_unique<Programs>();
  if (microBatch >= batch_) {
    const auto graph = stepGraph(loss_, batch_, config_.optimizer, config_.ranks);
    programs->losses = outputNames(*graph);
    programs->whole = compile(graph);
    return programs;
  }
  programs->update = compile(updateGraph(loss_, microBatch, config_.optimizer, config_.ranks));
  for (const int64_t samples : {microBatch, batch_ % microBatch}) {
    if (samples == 0 || programs->parts.contains(samples)) continue;
    Programs::Part& part = programs->parts[samples];
    if (sides_ > 0) part.statistics = compile(statisticsGraph(loss_, samples, sides_));
    if (inputs_.needsAnnotated()) part.statistics = compile(inputs_.annotatedGraph(samples));
    const auto graph = accumulateGraph(loss_, samples, sides_);
    programs->losses = outputNames(*graph);
    part.accumulate = compile(graph);
  }
  return programs;
}

void TrainingStep::runProgram(compiler::Program& program, const compiler::Bindings& bindings,
                              const std::atomic<bool>* cancelled) {
  model_.engine().runAndWait([&] {
    model_.requireAlive();  // here, where disposing happens, it cannot change before the program is through
    model_.engine().run(program, model_.states(), bindings, cancelled);
  });
}

TrainingStep::Losses TrainingStep::readLosses(compiler::Program& program, compiler::Bindings& bindings,
                                              const std::atomic<bool>* cancelled) {
  std::map<std::string, float> read;
  for (const std::string& name : programs_->losses) bindings.output(name, read[name]);
  runProgram(program, bindings, cancelled);
  return {read.begin(), read.end()};
}

TrainingStep::Losses TrainingStep::run(const data::Batch& batch, double learningRate, int64_t iteration,
                                       const std::atomic<bool>* cancelled) {
  invariant(batch.size() == batch_, "a step is compiled for another batch");
  const std::vector<float> hyper = hyperParameters(config_.optimizer, learningRate, iteration + 1);
  if (!programs_->whole) return ofAllRanks(runParts(batch, hyper, cancelled));
  compiler::Bindings bindings;
  inputs_.bind(batch, bindings);
  bindings.input(kHyperInput, hyper);
  return ofAllRanks(readLosses(*programs_->whole, bindings, cancelled));
}

TrainingStep::Losses TrainingStep::ofAllRanks(Losses losses) {
  if (communicator_ == nullptr) return losses;
  std::vector<float> values;
  for (const auto& [name, value] : losses) values.push_back(static_cast<float>(value));
  communicator_->sum(values);
  auto sum = values.begin();
  for (auto& [name, value] : losses) value = static_cast<double>(*sum++);
  return losses;
}

TrainingStep::Losses TrainingStep::runParts(const data::Batch& batch, std::span<const float> hyper,
                                            const std::atomic<bool>* cancelled) {
  std::vector<Part> parts = partsOf(batch);
  BatchSums all(sides_);
  for (Part& part : parts) {
    measure(part, cancelled);
    all.add(part.own);
  }
  if (communicator_ != nullptr) all.sumWith(*communicator_);
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
  if (const auto dice = losses.find(kDiceTerm); dice != losses.end())
    dice->second /= static_cast<double>(config_.ranks);  // of which every rank has the whole
  losses[kLossOutput] = 0;
  for (const auto& [name, value] : losses)
    if (name != kLossOutput) losses[kLossOutput] += value;
  compiler::Bindings bindings;
  bindings.input(kHyperInput, hyper);
  runProgram(*programs_->update, bindings);
  return losses;
}

std::vector<TrainingStep::Part> TrainingStep::partsOf(const data::Batch& batch) const {
  std::vector<Part> parts;
  for (int64_t first = 0; first < batch.size(); first += microBatch_) {
    const int64_t count = std::min(microBatch_, batch.size() - first);
    const float share = static_cast<float>(count) / static_cast<float>(batch.size() * config_.ranks);
    parts.push_back({batch.part(first, count), share, BatchSums(sides_)});
  }
  return parts;
}

/// The part's own sums, where a loss needs those of the batch.
void TrainingStep::measure(Part& part, const std::atomic<bool>* cancelled) {
  const auto& statistics = programs_->parts.at(part.batch.size()).statistics;
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
TrainingStep::Losses TrainingStep::accumulate(const Part& part, const BatchSums& others) {
  compiler::Bindings bindings;
  bindPart(part, others, bindings);
  return readLosses(*programs_->parts.at(part.batch.size()).accumulate, bindings, nullptr);
}

void TrainingStep::bindPart(const Part& part, const BatchSums& others, compiler::Bindings& bindings) const {
  inputs_.bind(part.batch, bindings);
  bindings.input(BatchPart::kShareInput, {&part.share, 1});
  if (sides_ > 0) {
    bindings.input(BatchPart::kIntersectionRestInput, others.intersections);
    bindings.input(BatchPart::kSumRestInput, others.sums);
  }
  if (inputs_.needsAnnotated()) bindings.input(BatchInputs::kAnnotatedRestInput, {&others.annotated, 1});
}

void TrainingStep::clearGradients() {
  model_.engine().runAndWait([&] {
    model_.requireAlive();
    for (const auto& [name, entry] : model_.states().entries())
      if (name.starts_with(kGradientPrefix))
        model_.states().set(name, Tensor::zeros(entry.type.dtype, entry.type.shape));
  });
}

}  // namespace jcs::train
