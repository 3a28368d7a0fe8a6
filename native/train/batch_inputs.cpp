#include "train/batch_inputs.h"

#include "nn/normalize.h"
#include "ops/communication.h"
#include "ops/elementwise.h"
#include "ops/images.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "train/task_loss.h"

namespace jcs::train {

namespace {

constexpr InputPort<std::byte> kBytes{"bytes"};
constexpr InputPort<ImageRecord> kSources{"sources"};
constexpr InputPort<Augmentation> kAugmentations{"augmentations"};
constexpr InputPort<MixedSample> kMixed{"mixed"};
constexpr InputPort<float> kMask{"mask"}, kTargets{"targets"}, kActivationMask{"activationMask"},
    kActivationWeights{"activationWeights"};

/// The smaller of x and 1, or with `least` the larger, for whole numbers of at least 0.
Value atMostOne(Value x) { return subtract(x, relu(add(x, -1))); }
Value atLeastOne(Value x) { return add(x, relu(add(multiply(x, -1), 1))); }

/// 1 for each sample that has a lesion in its mask, N×S×S×1, else 0.
Value isAnnotated(Value mask) {
  const int64_t samples = mask.shape()[0];
  return atMostOne(reshape(reduceSum(mask, {samples, 1, 1, 1}), {samples}));
}

}  // namespace

BatchSource tensorInputs(const networks::NetworkSpec& spec, const TrainConfig& config) {
  return [=](Graph& graph, int64_t n, const std::optional<BatchPart>&) {
    BatchValues values;
    values.image = graph.input(networks::kImageInput, {n, config.inputSize, config.inputSize, 3});
    if (config.task == networks::Task::kSegmentation) {
      values.mask = graph.input(kMask, {n, config.inputSize, config.inputSize, 1});
      return values;
    }
    values.targets = graph.input(kTargets, {n, 2});
    if (!config.activationLoss) return values;
    const auto [height, width] = featureSize(spec, config.inputSize);
    values.activationMask = graph.input(kActivationMask, {n, height, width, 1});
    values.activationWeights = graph.input(kActivationWeights, {n});
    return values;
  };
}

BatchInputs::BatchInputs(const networks::NetworkSpec& spec, const TrainConfig& config,
                         const data::Normalization& normalization, const data::Loader& loader)
    : task_(config.task),
      activationLoss_(config.task == networks::Task::kClassification && config.activationLoss),
      mixes_(config.task == networks::Task::kClassification && config.mixup.alpha > 0),
      augments_(config.augmentation != data::AugmentationOptions::none()),
      inputSize_(config.inputSize),
      normalization_(normalization),
      mostBytes_(loader.mostBytes()) {
  if (activationLoss_) std::tie(featureHeight_, featureWidth_) = featureSize(spec, config.inputSize);
}

struct BatchInputs::Tables {
  Value bytes, sources, augmentations;
};

BatchInputs::Tables BatchInputs::addTables(Graph& graph, int64_t samples, bool isPart) const {
  const int64_t sets = mixes_ && isPart ? 2 : 1;  // a part brings the partners of its samples along
  Tables tables;
  tables.bytes = graph.input(kBytes, {sets * mostBytes_.at(static_cast<size_t>(samples))});
  tables.sources = graph.input(kSources, {sets * samples});
  if (augments_) tables.augmentations = graph.input(kAugmentations, {sets * samples});
  return tables;
}

/// Of the samples themselves, not of their partners.
Value BatchInputs::addMasks(const Tables& tables, int64_t samples) const {
  const Value masks = bitsToMasks(tables.bytes, tables.sources, tables.augmentations, inputSize_, inputSize_);
  if (masks.shape()[0] == samples) return masks;
  return slice(masks, {0, 0, 0, 0}, {samples, inputSize_, inputSize_, 1});
}

BatchValues BatchInputs::add(Graph& graph, int64_t samples, const std::optional<BatchPart>& part) const {
  const NodeLabel label(graph, "batch");
  const Tables tables = addTables(graph, samples, part.has_value());
  BatchValues values;
  Value images = pixelsToImages(tables.bytes, tables.sources, inputSize_, inputSize_);
  if (tables.augmentations) images = augmentImages(images, tables.augmentations);
  images = normalize(images, normalization_.mean, normalization_.deviation);
  values.image = mixes_ ? mixSamples(images, graph.input(kMixed, {samples})) : images;
  if (task_ == networks::Task::kSegmentation) {
    values.mask = addMasks(tables, samples);
    return values;
  }
  values.targets = graph.input(kTargets, {samples, 2});
  if (!activationLoss_) return values;
  const Value masks = addMasks(tables, samples);
  values.activationMask = areaAverage(masks, featureHeight_, featureWidth_);
  const Value annotated = isAnnotated(masks);
  Value count = reduceSum(annotated, Shape{});
  if (part)
    count = part->isSummedOverRanks ? allReduce(count) : jcs::add(count, graph.input(kAnnotatedRestInput, Shape{}));
  values.activationWeights = divide(annotated, atLeastOne(count));
  return values;
}

BatchSource BatchInputs::source() const {
  return [inputs = *this](Graph& graph, int64_t samples, const std::optional<BatchPart>& part) {
    return inputs.add(graph, samples, part);
  };
}

std::unique_ptr<Graph> BatchInputs::annotatedGraph(int64_t samples) const {
  auto graph = std::make_unique<Graph>();
  const NodeLabel label(*graph, "batch");
  const Tables tables = addTables(*graph, samples, true);
  graph->output(kAnnotatedOutput, reduceSum(isAnnotated(addMasks(tables, samples)), Shape{}));
  return graph;
}

void BatchInputs::bind(const data::Batch& batch, compiler::Bindings& bindings) const {
  bindings.beginning(kBytes, {batch.bytes.data(), static_cast<size_t>(batch.bytes.bytes())});
  bindings.input(kSources, batch.sources);
  if (augments_) bindings.input(kAugmentations, batch.augmentations);
  if (mixes_) bindings.input(kMixed, batch.mixed);
  if (task_ == networks::Task::kClassification) bindings.input(kTargets, batch.targets.as<float>());
}

}  // namespace jcs::train
