#include "train/task_loss.h"

#include "nn/activation_map.h"
#include "ops/elementwise.h"

namespace jcs {

namespace {

TensorType activations(int64_t n, int64_t height, int64_t width, int64_t channels) {
  return {DType::kF32, {n, height, width, channels}};
}

LossValues classification(Graph& graph, const NetworkSpec& spec, const TrainConfig& config, const BuildOptions& build,
                          int64_t n, const std::optional<MicroBatch>& microBatch) {
  const Value image = graph.input("image", activations(n, config.inputSize, config.inputSize, 3));
  const ClassifierOutputs network = buildClassifier(Scope(graph), image, spec, build);
  graph.scope = "loss";
  const Value targets = graph.input("targets", {DType::kF32, network.logits.shape()});
  const Value crossEntropy = classificationLoss(network.logits, targets, microBatch);
  LossValues loss{crossEntropy, {{"crossEntropy", crossEntropy}}, std::nullopt};
  if (!config.activationLoss) return loss;
  const Shape& f = network.features.shape();
  const Value masks = graph.input("activationMask", activations(n, f[1], f[2], 1));
  const Value weights = graph.input("activationWeights", {DType::kF32, {n}});
  Value activation = activationLoss(network.features, network.headWeight, masks, weights, spec.variant);
  if (config.activationLossWeight != 1) activation = multiply(activation, config.activationLossWeight);
  loss.terms.emplace_back("activation", activation);
  loss.total = add(crossEntropy, activation);
  return loss;
}

LossValues segmentation(Graph& graph, const NetworkSpec& spec, const TrainConfig& config, const BuildOptions& build,
                        int64_t n, const std::optional<MicroBatch>& microBatch) {
  const Value image = graph.input("image", activations(n, config.inputSize, config.inputSize, 3));
  const SegmenterOutputs network = buildSegmenter(Scope(graph), image, spec, build);
  graph.scope = "loss";
  const Value mask = graph.input("mask", activations(n, config.inputSize, config.inputSize, 1));
  const SegmentationLoss loss = segmentationLoss(network.sideLogits, mask, config.dice, microBatch);
  return {loss.total, {{"bce", loss.bce}, {"dice", loss.dice}}, loss};
}

}  // namespace

LossBuilder taskLoss(const NetworkSpec& spec, const TrainConfig& config) {
  const BuildOptions build{.training = true, .batchNorm = config.batchNorm, .trainTrunk = config.trainTrunk};
  return [=](Graph& graph, int64_t n, const std::optional<MicroBatch>& microBatch) {
    return config.task == Task::kClassification ? classification(graph, spec, config, build, n, microBatch)
                                                : segmentation(graph, spec, config, build, n, microBatch);
  };
}

int64_t sideOutputs(const NetworkSpec& spec, int64_t inputSize) {
  if (networkInfo(spec.network).task == Task::kClassification) return 0;
  Graph graph;
  const Value image = graph.input("image", activations(1, inputSize, inputSize, 3));
  return static_cast<int64_t>(buildSegmenter(Scope(graph), image, spec).sideLogits.size());
}

std::pair<int64_t, int64_t> featureSize(const NetworkSpec& spec, int64_t inputSize) {
  Graph graph;
  const Value image = graph.input("image", activations(1, inputSize, inputSize, 3));
  const Shape& shape = buildClassifier(Scope(graph), image, spec).features.shape();
  return {shape[1], shape[2]};
}

}  // namespace jcs
