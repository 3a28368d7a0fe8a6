#include "train/training_graph.h"

#include <cmath>

#include "compiler/rewrite.h"
#include "graph/autodiff.h"
#include "ops/communication.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/optimizer.h"
#include "ops/reduce.h"

namespace jcs::train {

namespace {

std::vector<Value> trainableParameters(Graph& graph) {
  std::vector<Value> parameters;
  for (const ValueId id : graph.values().ids()) {
    const ValueInfo& info = graph.values()[id];
    if (info.kind == ValueInfo::Kind::kState && info.state.trainable) parameters.push_back(graph.value(id));
  }
  require(!parameters.empty(), errors::kInvalidArgument, "nothing is trainable: every layer is frozen");
  return parameters;
}

Value zeroState(Graph& graph, const std::string& name, const Shape& shape) {
  return graph.state(name, {DType::kF32, shape}, {Initializer::constant(0), false});
}

void addUpdate(Graph& graph, Value parameter, Value gradient, Value hyper, const OptimizerOptions& options) {
  const std::string& name = graph.info(parameter).name;
  const NodeLabel label(graph, "update " + name);
  const auto moment = [&](const char* kind) {
    return zeroState(graph, kOptimizerPrefix + std::string(kind) + "/" + name, parameter.shape());
  };
  if (options.kind == OptimizerOptions::Kind::kSgd) {
    auto op = std::make_shared<SgdUpdate>();
    op->momentum = options.momentum;
    op->weightDecay = options.weightDecay;
    op->nesterov = options.nesterov;
    const Value velocity = moment("momentum");
    const Value inputs[] = {parameter, gradient, velocity, hyper};
    const auto next = addNodeWithOutputs(op, inputs);
    graph.assign(parameter, next[0]);
    graph.assign(velocity, next[1]);
  } else {
    auto op = std::make_shared<AdamUpdate>();
    op->beta1 = options.beta1;
    op->beta2 = options.beta2;
    op->epsilon = options.epsilon;
    op->weightDecay = options.weightDecay;
    op->decoupled = options.kind == OptimizerOptions::Kind::kAdamW;
    const Value first = moment("moment1"), second = moment("moment2");
    const Value inputs[] = {parameter, gradient, first, second, hyper};
    const auto next = addNodeWithOutputs(op, inputs);
    graph.assign(parameter, next[0]);
    graph.assign(first, next[1]);
    graph.assign(second, next[2]);
  }
}

/// As PyTorch's clip_grad_norm_: times min(1, maximum / (norm + 1e-6)).
std::vector<Value> clipped(std::vector<Value> gradients, float maximum) {
  if (maximum == 0) return gradients;
  Graph& graph = *gradients[0].graph;
  const NodeLabel label(graph, "gradient_norm");
  std::vector<Value> squares;
  for (const Value& gradient : gradients) squares.push_back(reduceSum(multiply(gradient, gradient), Shape{1}));
  const Value norm = add(sqrt(reduceSum(concat(squares), Shape{})), 1e-6f);
  const Value excess = relu(add(norm, -maximum));
  const Value scale = divide(graph.scalar(maximum), add(excess, maximum));
  for (Value& gradient : gradients) gradient = multiply(gradient, scale);
  return gradients;
}

/// Gradients of a bucket travel together: a message each would cost more than what it carries, one for all could only
/// be sent when the last gradient is there.
constexpr int64_t kBucketBytes = int64_t{4} << 20;

/// The sums over the ranks. The last layers' gradients are there first, so buckets are filled from the end.
std::vector<Value> summedOverRanks(std::vector<Value> gradients) {
  const NodeLabel label(*gradients[0].graph, "gradient_sums");
  for (size_t end = gradients.size(), begin = end; end > 0; end = begin) {
    std::vector<Value> lines;
    std::vector<int64_t> sizes;
    for (int64_t bytes = 0; begin > 0 && bytes < kBucketBytes; bytes += gradients[begin].type().bytes()) {
      --begin;
      sizes.push_back(gradients[begin].type().elements());
      lines.push_back(reshape(gradients[begin], {sizes.back()}));
    }
    const std::vector<Value> sums = split(allReduce(concat(lines)), sizes);
    for (size_t i = begin; i < end; ++i) gradients[i] = reshape(sums[end - 1 - i], gradients[i].shape());
  }
  return gradients;
}

Value hyperInput(Graph& graph, const OptimizerOptions& options) {
  const int64_t count = options.kind == OptimizerOptions::Kind::kSgd ? 1 : 3;
  return graph.input(kHyperInput, {count});
}

void nameOutputs(Graph& graph, const LossValues& loss) {
  graph.output(kLossOutput, loss.total);
  for (const auto& [name, value] : loss.terms) graph.output(name, value);
}

}  // namespace

std::vector<float> hyperParameters(const OptimizerOptions& options, double learningRate, int64_t step) {
  if (options.kind == OptimizerOptions::Kind::kSgd) return {static_cast<float>(learningRate)};
  const auto t = static_cast<double>(step);
  return {static_cast<float>(learningRate), static_cast<float>(1 - std::pow(static_cast<double>(options.beta1), t)),
          static_cast<float>(1 - std::pow(static_cast<double>(options.beta2), t))};
}

std::unique_ptr<Graph> stepGraph(const LossBuilder& build, int64_t samples, const OptimizerOptions& options,
                                 int64_t ranks) {
  auto graph = std::make_unique<Graph>();
  std::optional<BatchPart> part;
  if (ranks > 1) part = BatchPart::ofRanks(*graph, ranks);
  const LossValues loss = build(*graph, samples, part);
  nameOutputs(*graph, loss);
  const std::vector<Value> parameters = trainableParameters(*graph);
  std::vector<Value> gradient = gradients(loss.total, parameters, add);
  if (ranks > 1) gradient = summedOverRanks(std::move(gradient));
  gradient = clipped(std::move(gradient), options.maxGradientNorm);
  const Value hyper = hyperInput(*graph, options);
  for (size_t i = 0; i < parameters.size(); ++i) addUpdate(*graph, parameters[i], gradient[i], hyper, options);
  return graph;
}

std::unique_ptr<Graph> statisticsGraph(const LossBuilder& build, int64_t samples, int64_t sides) {
  Graph graph;
  const LossValues loss = build(graph, samples, BatchPart::inputs(graph, sides));
  invariant(loss.segmentation.has_value(), "only a segmentation loss has sums over the batch");
  graph.output(kIntersectionsOutput, loss.segmentation->intersections);
  graph.output(kSumsOutput, loss.segmentation->sums);
  // Running statistics are updated by the pass that accumulates gradients; this one only measures.
  return compiler::prune(graph, nullptr, false);
}

std::unique_ptr<Graph> accumulateGraph(const LossBuilder& build, int64_t samples, int64_t sides) {
  auto graph = std::make_unique<Graph>();
  const LossValues loss = build(*graph, samples, BatchPart::inputs(*graph, sides));
  nameOutputs(*graph, loss);
  const std::vector<Value> parameters = trainableParameters(*graph);
  const std::vector<Value> gradient = gradients(loss.total, parameters, add);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Value sum = zeroState(*graph, kGradientPrefix + graph->info(parameters[i]).name, parameters[i].shape());
    graph->assign(sum, add(sum, gradient[i]));
  }
  return graph;
}

std::unique_ptr<Graph> updateGraph(const LossBuilder& build, int64_t samples, const OptimizerOptions& options,
                                   int64_t ranks) {
  Graph whole;
  build(whole, samples, std::nullopt);
  auto graph = std::make_unique<Graph>();
  const Value hyper = hyperInput(*graph, options);
  std::vector<Value> parameters, sums;
  for (const Value& original : trainableParameters(whole)) {
    const ValueInfo& info = whole.info(original);
    parameters.push_back(graph->state(info.name, info.type, info.state));
    sums.push_back(zeroState(*graph, kGradientPrefix + info.name, info.type.shape));
  }
  if (ranks > 1) sums = summedOverRanks(std::move(sums));
  const std::vector<Value> gradient = clipped(sums, options.maxGradientNorm);
  for (size_t i = 0; i < parameters.size(); ++i) addUpdate(*graph, parameters[i], gradient[i], hyper, options);
  return graph;
}

}  // namespace jcs::train
