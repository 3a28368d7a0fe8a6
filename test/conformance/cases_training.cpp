#include "conformance/case.h"
#include "ops/batch_norm.h"
#include "ops/communication.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/optimizer.h"

namespace jcs::conformance {

namespace {

void addNormReluGradient(std::vector<Case>& table, const Shape& x) {
  const Shape channels{x.channels()};
  table.push_back({"fused batch norm and ReLU gradient " + x.toString(),
                   {{x}, {x}, {channels, Fill::kPositive}, {channels}, {channels, Fill::kPositive}, {channels}},
                   [](std::span<const Value> in) {
                     auto op = std::make_shared<BatchNormGradient>();
                     op->relu = true;
                     return addNodeWithOutputs(op, in);
                   },
                   false});
}

void addBatchNorm(std::vector<Case>& table) {
  struct Row {
    Shape x;
    Fill fill;
    float epsilon;
  };
  const Row rows[] = {{{2, 5, 7, 26}, Fill::kSigned, 1e-5f}, {{1, 4, 5, 64}, Fill::kSigned, 1e-5f},
                      {{3, 3, 2, 5}, Fill::kSigned, 1e-3f},  {{1, 9, 11, 13}, Fill::kOffset, 1e-5f},
                      {{6, 10}, Fill::kSigned, 1e-5f},       {{5, 1, 1, 8}, Fill::kDistinct, 1e-5f},
                      {{2, 37, 33, 3}, Fill::kSigned, 1e-5f}};
  for (const Row& row : rows) {
    const Shape channels{row.x.channels()};
    const std::string text = row.x.toString() + (row.fill == Fill::kOffset ? ", mean far from zero" : "");
    const std::vector<Input> inputs{{row.x, row.fill}, {channels, Fill::kPositive}, {channels}};
    table.push_back({"batch norm " + text, inputs, [row](std::span<const Value> in) {
                       return std::vector{batchNorm(in[0], in[1], in[2], row.epsilon).y};
                     }});
    table.push_back({"batch norm and its statistics " + text, inputs, [row](std::span<const Value> in) {
                       const BatchNormResult result = batchNorm(in[0], in[1], in[2], row.epsilon);
                       return std::vector{result.y, result.mean, result.variance};
                     }});
    table.push_back({"batch statistics " + text, {{row.x, row.fill}}, [row, channels](std::span<const Value> in) {
                       Graph& graph = *in[0].graph;
                       const Value none = graph.constant(Tensor::zeros(DType::kF32, channels));
                       const BatchNormResult result = batchNorm(in[0], none, none, row.epsilon);
                       return std::vector{result.mean, result.variance};
                     }});
    addNormReluGradient(table, row.x);
    const auto addFused = [&](Activation activation, bool residual) {
      std::vector<Input> operands = inputs;
      if (residual) operands.push_back({row.x});
      table.push_back({"fused batch norm " + nameOf(activation) + (residual ? " and residual " : " ") + text, operands,
                       [row, activation, residual](std::span<const Value> in) {
                         auto op = std::make_shared<BatchNorm>();
                         op->epsilon = row.epsilon;
                         op->activation = activation;
                         op->residual = residual;
                         return addNodeWithOutputs(op, in);
                       },
                       false});
    };
    addFused(Activation::kRelu, false);
    addFused(Activation::kSigmoid, false);
    addFused(Activation::kNone, true);
    addFused(Activation::kRelu, true);
  }
  for (float epsilon : {1e-5f, 0.0f})
    for (const Shape& x : {Shape{2, 3, 5, 26}, Shape{4, 7}}) {
      const Shape channels{x.channels()};
      table.push_back({"batch norm with stored statistics, epsilon " + std::to_string(epsilon) + " " + x.toString(),
                       {{x},
                        {channels, Fill::kPositive},
                        {channels},
                        {channels, Fill::kSigned, false},
                        {channels, Fill::kPositive, false}},
                       [epsilon](std::span<const Value> in) {
                         return std::vector{batchNormInference(in[0], in[1], in[2], in[3], in[4], epsilon)};
                       }});
    }
}

/// Enough rows for sums that are cut into parts, each of which is added up on its own.
void addLargeBatchNorm(std::vector<Case>& table) {
  for (const Shape& x : {Shape{2, 72, 72, 8}, Shape{1, 90, 91, 3}, Shape{1, 61, 60, 26}}) {
    const Shape channels{x.channels()};
    table.push_back({"batch norm in parts " + x.toString(),
                     {{x, Fill::kOffset}, {channels, Fill::kPositive}, {channels}},
                     [](std::span<const Value> in) {
                       const BatchNormResult result = batchNorm(in[0], in[1], in[2], 1e-5f);
                       return std::vector{result.y, result.mean, result.variance};
                     },
                     false});
    table.push_back(
        {"batch norm gradient in parts " + x.toString(),
         {{x}, {x}, {channels, Fill::kPositive}, {channels}, {channels, Fill::kPositive}},
         [](std::span<const Value> in) { return addNodeWithOutputs(std::make_shared<BatchNormGradient>(), in); },
         false});
    addNormReluGradient(table, x);
  }
}

void addLosses(std::vector<Case>& table) {
  for (const Shape& shape : {Shape{3, 2}, Shape{1, 2}, Shape{5, 11}}) {
    table.push_back({"softmax " + shape.toString(),
                     {{shape}},
                     [](std::span<const Value> in) { return std::vector{softmax(in[0])}; },
                     false});
    table.push_back({"softmax cross-entropy " + shape.toString(),
                     {{shape}, {shape, Fill::kProbabilities, false}},
                     [](std::span<const Value> in) { return std::vector{softmaxCrossEntropy(in[0], in[1])}; }});
    // exp(200) overflows float32.
    table.push_back({"softmax of large logits " + shape.toString(),
                     {{shape}, {shape, Fill::kProbabilities, false}},
                     [](std::span<const Value> in) {
                       const Value logits = multiply(in[0], 200);
                       return std::vector{softmax(logits), softmaxCrossEntropy(logits, in[1])};
                     },
                     false});
  }
  for (const Shape& shape : {Shape{2, 5, 7, 1}, Shape{1, 8, 8, 1}, Shape{3, 4}}) {
    table.push_back({"sigmoid cross-entropy " + shape.toString(),
                     {{shape}, {shape, Fill::kUnit, false}},
                     [](std::span<const Value> in) { return std::vector{sigmoidCrossEntropy(in[0], in[1])}; }});
    table.push_back(
        {"sigmoid cross-entropy of large logits " + shape.toString(),
         {{shape}, {shape, Fill::kUnit, false}},
         [](std::span<const Value> in) { return std::vector{sigmoidCrossEntropy(multiply(in[0], 200), in[1])}; }});
  }
  for (const Shape& shape : {Shape{2, 5, 7, 1}, Shape{1, 4, 4, 1}, Shape{3, 1, 6, 1}})
    table.push_back({"min-max normalize " + shape.toString(),
                     {{shape, Fill::kDistinct}},
                     [](std::span<const Value> in) { return std::vector{minMaxNormalize(in[0])}; }});
  table.push_back({"min-max normalize and its gradient of a large map",
                   {{{2, 40, 41, 1}, Fill::kDistinct}, {{2, 40, 41, 1}}},
                   [](std::span<const Value> in) {
                     return std::vector{minMaxNormalize(in[0]),
                                        addNode(std::make_shared<MinMaxNormalizeGradient>(), {in[1], in[0]})};
                   },
                   false});
  for (Fill fill : {Fill::kConstant, Fill::kCoarse}) {
    const std::string text = fill == Fill::kConstant ? " of a constant map" : " with tied extremes";
    table.push_back({"min-max normalize" + text,
                     {{{2, 5, 4, 1}, fill}},
                     [](std::span<const Value> in) { return std::vector{minMaxNormalize(in[0])}; },
                     false});
    table.push_back(
        {"min-max normalize gradient" + text,
         {{{2, 5, 4, 1}}, {{2, 5, 4, 1}, fill}},
         [](std::span<const Value> in) { return addNodeWithOutputs(std::make_shared<MinMaxNormalizeGradient>(), in); },
         false});
  }
}

void addUpdates(std::vector<Case>& table) {
  for (const Shape& w : {Shape{16, 8, 3, 3}, Shape{37}, Shape{5, 3}, Shape{1}}) {
    struct Sgd {
      float momentum, weightDecay;
      bool nesterov;
    };
    for (const Sgd& sgd : {Sgd{0.9f, 0, false}, Sgd{0.9f, 1e-2f, false}, Sgd{0.9f, 1e-4f, true}, Sgd{0, 0, false}})
      table.push_back({"sgd update " + w.toString() + " momentum " + std::to_string(sgd.momentum) + " decay " +
                           std::to_string(sgd.weightDecay) + (sgd.nesterov ? " nesterov" : ""),
                       {{w}, {w}, {w}, {w.rank() == 1 ? Shape{1} : Shape{}, Fill::kUnit}},
                       [sgd](std::span<const Value> in) {
                         auto op = std::make_shared<SgdUpdate>();
                         op->momentum = sgd.momentum;
                         op->weightDecay = sgd.weightDecay;
                         op->nesterov = sgd.nesterov;
                         return addNodeWithOutputs(op, in);
                       },
                       false});
    for (const auto& [weightDecay, decoupled] : {std::pair{0.0f, false}, {1e-2f, false}, {1e-2f, true}})
      table.push_back(
          {"adam update " + w.toString() + " decay " + std::to_string(weightDecay) + (decoupled ? " decoupled" : ""),
           {{w}, {w}, {w}, {w, Fill::kUnit}, {{3}, Fill::kPositive}},
           [weightDecay = weightDecay, decoupled = decoupled](std::span<const Value> in) {
             auto op = std::make_shared<AdamUpdate>();
             op->weightDecay = weightDecay;
             op->decoupled = decoupled;
             return addNodeWithOutputs(op, in);
           },
           false});
  }
}

/// Alone, as every backend is here: sums over one rank.
void addSumsOverRanks(std::vector<Case>& table) {
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{2, 5, 3, 26}})
    table.push_back({"all-reduce " + shape.toString(), {{shape}}, [](std::span<const Value> in) {
                       return std::vector{allReduce(in[0])};
                     }});
}

}  // namespace

void addTrainingCases(std::vector<Case>& table) {
  addBatchNorm(table);
  addLargeBatchNorm(table);
  addLosses(table);
  addUpdates(table);
  addSumsOverRanks(table);
}

}  // namespace jcs::conformance
