#include "conformance/pytorch_check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <set>

#include "conformance/evaluate.h"
#include "io/safetensors.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/pool.h"
#include "ops/resize.h"

namespace jcs::conformance {

namespace {

/// Of the largest value. The fixtures hold PyTorch's float64 results rounded to float32.
constexpr double kTolerance = 2e-7;

struct Row {
  std::string name;
  std::function<std::vector<Value>(std::span<const Value> inputs)> build;
};

void addConvolutions(std::vector<Row>& rows) {
  const auto convolution = [&](const std::string& name, Conv2dAttributes attributes) {
    rows.push_back({"conv2d " + name,
                    [=](std::span<const Value> in) { return std::vector{conv2d(in[0], in[1], in[2], attributes)}; }});
  };
  convolution("strided", {.stride = 2, .padding = 1});
  convolution("dilated", {.padding = 3, .dilation = 3});
  convolution("grouped", {.padding = 1, .groups = 4});
  convolution("large", {.stride = 2, .padding = 3});
  const auto transposed = [&](const std::string& name, Conv2dAttributes attributes) {
    rows.push_back({"transposed conv2d " + name,
                    [=](std::span<const Value> in) { return std::vector{convTranspose2d(in[0], in[1], attributes)}; }});
  };
  transposed("2x2", {.stride = 2});
  transposed("4x4", {.stride = 2, .padding = 1});
  transposed("dilated", {.padding = 2, .dilation = 2});
}

void addPools(std::vector<Row>& rows) {
  const auto pools = [&](const std::string& name, PoolAttributes pool) {
    rows.push_back(
        {"max pool " + name, [=](std::span<const Value> in) { return std::vector{maxPool2d(in[0], pool)}; }});
    rows.push_back({"max pool gradient " + name, [=](std::span<const Value> in) {
                      auto op = std::make_shared<MaxPool2dGradient>();
                      op->pool = pool;
                      return addNodeWithOutputs(op, in);
                    }});
    for (bool include : {false, true}) {
      PoolAttributes average = pool;
      average.countIncludePad = include;
      rows.push_back({"average pool " + name + (include ? " with padding" : ""),
                      [=](std::span<const Value> in) { return std::vector{averagePool2d(in[0], average)}; }});
    }
  };
  pools("plain", {.kernel = 2, .stride = 2});
  pools("ceil", {.kernel = 2, .stride = 2, .ceilMode = true});
  pools("padded", {.kernel = 3, .stride = 2, .padding = 1});
  pools("padded ceil", {.kernel = 3, .stride = 2, .padding = 1, .ceilMode = true});
  for (const int64_t bins : {1, 3, 5})
    rows.push_back({"adaptive average pool " + std::to_string(bins),
                    [=](std::span<const Value> in) { return std::vector{adaptiveAveragePool2d(in[0], bins)}; }});
}

void addResizes(std::vector<Row>& rows) {
  struct Size {
    int64_t height, width;
  };
  for (const Size& size : {Size{9, 11}, Size{2, 3}, Size{8, 3}, Size{1, 1}})
    for (bool align : {false, true})
      rows.push_back(
          {"resize " + std::to_string(size.height) + "x" + std::to_string(size.width) + (align ? " aligned" : ""),
           [=](std::span<const Value> in) { return std::vector{resize(in[0], size.height, size.width, align)}; }});
}

template <typename OpType>
Row plain(const std::string& name, OpType op = {}) {
  return {name, [op](std::span<const Value> in) { return addNodeWithOutputs(std::make_shared<OpType>(op), in); }};
}

void addTraining(std::vector<Row>& rows) {
  rows.push_back(plain<BatchNorm>("batch norm"));
  rows.push_back(plain<BatchNormGradient>("batch norm gradient"));
  BatchNormGradient withRelu;
  withRelu.relu = true;
  rows.push_back(plain("batch norm and ReLU gradient", withRelu));
  rows.push_back({"batch norm stored", [](std::span<const Value> in) {
                    return std::vector{batchNormInference(in[0], in[1], in[2], in[3], in[4], 1e-5f)};
                  }});
  rows.push_back(plain<Softmax>("softmax"));
  rows.push_back(plain<SoftmaxCrossEntropy>("softmax cross-entropy"));
  rows.push_back(plain<SigmoidCrossEntropy>("sigmoid cross-entropy"));
  rows.push_back(plain<MinMaxNormalize>("min-max normalize"));
  rows.push_back(plain<MinMaxNormalizeGradient>("min-max normalize gradient"));
  rows.push_back({"dense", [](std::span<const Value> in) { return std::vector{dense(in[0], in[1], in[2])}; }});
  const auto sgd = [&](const std::string& name, float weightDecay, bool nesterov) {
    SgdUpdate op;
    op.momentum = 0.9f;
    op.weightDecay = weightDecay;
    op.nesterov = nesterov;
    rows.push_back(plain("sgd " + name, op));
  };
  sgd("plain", 0, false);
  sgd("decayed", 0.05f, false);
  sgd("nesterov", 0.05f, true);
  for (float weightDecay : {0.0f, 0.05f}) {
    AdamUpdate op;
    op.weightDecay = weightDecay;
    rows.push_back(plain(weightDecay > 0 ? "adam decayed" : "adam plain", op));
  }
  AdamUpdate adamw;
  adamw.weightDecay = 0.05f;
  adamw.decoupled = true;
  rows.push_back(plain("adamw", adamw));
}

std::vector<Row> allRows() {
  std::vector<Row> rows;
  addConvolutions(rows);
  addPools(rows);
  addResizes(rows);
  addTraining(rows);
  return rows;
}

std::string check(Backend& reference, const io::SafetensorsFile& fixtures, const Row& row) {
  Graph graph;
  std::vector<Value> values;
  std::vector<Tensor> inputs;
  for (int i = 0; fixtures.find(row.name + "/in" + std::to_string(i)); ++i) {
    inputs.push_back(fixtures.load(row.name + "/in" + std::to_string(i)));
    values.push_back(graph.input("input" + std::to_string(i), inputs.back().type()));
  }
  if (inputs.empty()) return "test/fixtures/ops.safetensors has no inputs of that name";
  const std::vector<Value> outputs = row.build(values);
  const PerValue<Tensor> results = Evaluation(reference, graph).run(inputs, graph.nodes().size());
  for (size_t k = 0; k < outputs.size(); ++k) {
    const Tensor expected = fixtures.load(row.name + "/out" + std::to_string(k));
    if (expected.shape() != outputs[k].shape())
      return "output " + std::to_string(k) + " has shape " + outputs[k].shape().toString() + ", PyTorch's " +
             expected.shape().toString();
    const auto wanted = expected.as<float>();
    const auto actual = results[outputs[k].id].as<double>();
    double largest = 0, worst = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(wanted[i])));
      const double difference = std::abs(actual[i] - static_cast<double>(wanted[i]));
      worst = difference <= worst ? worst : difference;  // a NaN becomes the worst and stays it
    }
    if (worst <= kTolerance * largest) continue;
    char text[120];
    std::snprintf(text, sizeof text, "output %zu is off by %.3g, the largest value being %.3g", k, worst, largest);
    return text;
  }
  return {};
}

}  // namespace

std::vector<PyTorchResult> checkAgainstPyTorch(Backend& reference, const std::string& filter) {
  const auto folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "fixtures";
  const io::SafetensorsFile fixtures = io::SafetensorsFile::open((folder / "ops.safetensors").string());
  std::vector<PyTorchResult> results;
  std::set<std::string> known;
  for (const Row& row : allRows()) {
    known.insert(row.name);
    if (row.name.find(filter) == std::string::npos) continue;
    try {
      results.push_back({row.name, check(reference, fixtures, row)});
    } catch (const Error& error) {
      results.push_back({row.name, error.what()});
    }
  }
  for (const io::SafetensorsEntry& entry : fixtures.entries()) {
    const std::string name = entry.name.substr(0, entry.name.find('/'));
    if (filter.empty() && known.insert(name).second) results.push_back({name, "this fixture is compared with nothing"});
  }
  return results;
}

}  // namespace jcs::conformance
