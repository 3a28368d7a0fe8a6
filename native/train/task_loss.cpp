#include "train/task_loss.h"

#include "nn/activation_map.h"
#include "ops/elementwise.h"

namespace jcs::train {

namespace {

LossValues classification(Graph& graph, const BatchValues& batch, const networks::NetworkSpec& spec,
                          const TrainConfig& config, const networks::BuildOptions& build,
                          const std::optional<BatchPart>& part) {
  const networks::ClassifierOutputs network = networks::buildClassifier(Scope(graph), batch.image, spec, build);
  const NodeLabel label(graph, "loss");
  const Value crossEntropy = classificationLoss(network.logits, batch.targets, part);
  LossValues loss{crossEntropy, {{"crossEntropy", crossEntropy}}, std::nullopt};
  if (!config.activationLoss) return loss;
  Value activation =
      activationLoss(network.features, network.headWeight, batch.activationMask, batch.activationWeights, spec.variant);
  if (config.activationLossWeight != 1) activation = multiply(activation, config.activationLossWeight);
  loss.terms.emplace_back("activation", activation);
  loss.total = add(crossEntropy, activation);
  return loss;
}

LossValues segmentation(Graph& graph, const BatchValues& batch, const networks::NetworkSpec& spec,
                        const TrainConfig& config, const networks::BuildOptions& build,
                        const std::optional<BatchPart>& part) {
  const networks::SegmenterOutputs network = networks::buildSegmenter(Scope(graph), batch.image, spec, build);
  const NodeLabel label(graph, "loss");
  LossValues values;
  if (config.loss == SideLoss::kBceDice) {
    const SegmentationLoss loss = segmentationLoss(network.sideLogits, batch.mask, config.dice, part);
    values = {loss.total, {{kBceTerm, loss.bce}, {kDiceTerm, loss.dice}}, loss};
  } else {
    const Value bce = sideCrossEntropy(network.sideLogits, batch.mask, config.loss, part);
    values = {bce, {{kBceTerm, bce}}, std::nullopt};
  }
  if (network.edgeLogits) {
    const Value edge = edgeLoss(*network.edgeLogits, batch.mask, config.loss, part);
    values.terms.emplace_back("edge", edge);
    values.total = add(values.total, edge);
  }
  return values;
}

}  // namespace

LossBuilder taskLoss(const networks::NetworkSpec& spec, const TrainConfig& config, const BatchSource& source) {
  const networks::BuildOptions build{
      .training = true, .batchNorm = config.batchNorm, .trainTrunk = config.trainTrunk, .ranks = config.ranks};
  return [=](Graph& graph, int64_t n, const std::optional<BatchPart>& part) {
    const BatchValues batch = source(graph, n, part);
    return config.task == networks::Task::kClassification ? classification(graph, batch, spec, config, build, part)
                                                          : segmentation(graph, batch, spec, config, build, part);
  };
}

LossBuilder taskLoss(const networks::NetworkSpec& spec, const TrainConfig& config) {
  return taskLoss(spec, config, tensorInputs(spec, config));
}

int64_t diceSides(const networks::NetworkSpec& spec, const TrainConfig& config) {
  const bool isSegmenter = networks::networkInfo(spec.network).task == networks::Task::kSegmentation;
  if (!isSegmenter || config.loss != SideLoss::kBceDice) return 0;
  Graph graph;
  const Value image = graph.input(networks::kImageInput, {1, config.inputSize, config.inputSize, 3});
  return static_cast<int64_t>(networks::buildSegmenter(Scope(graph), image, spec).sideLogits.size());
}

std::pair<int64_t, int64_t> featureSize(const networks::NetworkSpec& spec, int64_t inputSize) {
  Graph graph;
  const Value image = graph.input(networks::kImageInput, {1, inputSize, inputSize, 3});
  const Shape& shape = networks::buildClassifier(Scope(graph), image, spec).features.shape();
  return {shape[1], shape[2]};
}

}  // namespace jcs::train
