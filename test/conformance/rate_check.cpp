#include "conformance/rate_check.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "compiler/program.h"
#include "networks/registry.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

namespace jcs::conformance {

namespace {

constexpr double kLeastShare = 0.1;
constexpr double kStartSeconds = 50e-6;  // of waking threads and of short loops, at least
/// DSS's maps of one channel are no work for vectors of channels, and a thousandth of its time.
constexpr std::string_view kUnmeasured = "comb.";
constexpr int kRuns = 3, kMaxRuns = 40;  // other work on the machine slows single runs
constexpr int kRunsPerRates = 10;        // and all of them for a while: rates are then measured anew

/// A program with state and inputs of some constant.
class Workload {
 public:
  Workload(std::string label, const Graph& graph, std::shared_ptr<Backend> backend, DType activation)
      : name(std::move(label)),
        packsWeights(!graph.assignments().empty()),
        program_(graph, backend,
                 {.activation = activation, .kernels = {.threads = std::max(backend->device().threads, 1)}}),
        states_(backend),
        arena_(backend, program_.arenaBytes()) {
    for (const ValueInfo& value : graph.values()) {
      if (value.kind == ValueInfo::Kind::kState) states_.set(value.name, constant(value.type));
      if (value.kind == ValueInfo::Kind::kInput) inputs_.emplace(value.name, constant(value.type));
    }
    for (const auto& [input, tensor] : inputs_) bindings_.input(input, tensor);
    program_.profile(true);
  }

  /// Runs; steps' seconds become the least of all runs.
  void run() {
    program_.run(states_, arena_.data(), bindings_);
    if (steps.empty()) steps = program_.steps();
    for (size_t i = 0; i < steps.size(); ++i)
      steps[i].seconds = std::min(steps[i].seconds, program_.steps()[i].seconds);
  }

  const std::string name;
  const bool packsWeights;  ///< in every run: it changes state
  std::vector<compiler::Program::StepInfo> steps;

 private:
  static Tensor constant(const TensorType& type) {
    Tensor tensor(DType::kF32, type.shape);
    std::ranges::fill(tensor.as<float>(), 0.01f);
    return tensor.to(type.dtype);
  }

  compiler::Program program_;
  compiler::StateStore states_;
  DeviceBuffer arena_;
  std::map<std::string, Tensor> inputs_;
  compiler::Bindings bindings_;
};

/// What the machine does per second at its best, and how long it takes to wake its threads for a short loop.
struct Rates {
  double flops, bytes;
  double packedBytes;  ///< of weights that a step changes, brought into the order that kernels read, or back
  double startSeconds;
};

/// Of a convolution or a gradient of one.
double weightBytes(const compiler::Program::StepInfo& step) {
  if (step.op == Conv2dWeightGradient::kName) return static_cast<double>(step.outputs[0].bytes());
  const bool readsWeights = step.op == Conv2d::kName || step.op == Conv2dInputGradient::kName;
  return readsWeights ? static_cast<double>(step.inputs[1].bytes()) : 0;
}

Rates measureRates(const std::shared_ptr<Backend>& backend, DType activation) {
  Graph product, addition, packing, brief;
  // A 1×1 convolution is a plain product; the sums of 64 MiB operands come from memory.
  const Value x = product.input("x", {DType::kF32, {1, 64, 64, 512}});
  product.output("y", conv2d(x, product.state("w", {DType::kF32, {512, 512, 1, 1}}), std::nullopt, {}));
  const TensorType large{DType::kF32, {1, 512, 512, 64}};
  addition.output("sum", add(addition.input("a", large), addition.input("b", large)));
  // Of one pixel, little else is to be done.
  const Value weights = packing.state("w", {DType::kF32, {512, 512, 3, 3}});
  packing.output("y", conv2d(packing.input("x", {DType::kF32, {1, 1, 1, 512}}), weights, std::nullopt, {.padding = 1}));
  packing.assign(weights, multiply(weights, 1.0f));
  const TensorType small{DType::kF32, {1, 32, 32, 64}};
  brief.output("sum", add(brief.input("a", small), brief.input("b", small)));
  Workload multiply("product", product, backend, activation), sum("addition", addition, backend, DType::kF32),
      pack("packing", packing, backend, activation), start("start", brief, backend, DType::kF32);
  for (int i = 0; i < kRuns; ++i) multiply.run(), sum.run(), pack.run(), start.run();
  Rates rates{.flops = 0, .bytes = 0, .packedBytes = 0, .startSeconds = kStartSeconds};
  for (const auto& step : multiply.steps) rates.flops = std::max(rates.flops, step.flops / step.seconds);
  for (const auto& step : sum.steps) rates.bytes = std::max(rates.bytes, step.bytes / step.seconds);
  for (const auto& step : pack.steps) rates.packedBytes = std::max(rates.packedBytes, weightBytes(step) / step.seconds);
  for (const auto& step : start.steps) rates.startSeconds = std::max(rates.startSeconds, step.seconds);
  return rates;
}

/// The step furthest below the rate, per op and implementation; empty texts where all are fast enough.
std::map<std::string, std::string> slowSteps(const Workload& workload, const Rates& rates) {
  std::map<std::string, std::string> slow;
  for (const compiler::Program::StepInfo& step : workload.steps) {
    if (step.scope.starts_with(kUnmeasured)) continue;
    const double packed = workload.packsWeights ? weightBytes(step) : 0;
    const double least = step.flops / rates.flops + step.bytes / rates.bytes + packed / rates.packedBytes;
    const int loops = packed > 0 ? 2 : 1;  // it packs, and multiplies
    std::string& failure = slow[step.op + " (" + step.implementation + ")"];
    if (step.seconds <= least / kLeastShare + loops * rates.startSeconds || !failure.empty()) continue;
    char text[300];
    std::snprintf(text, sizeof text, "%.2f ms for what the machine's rates allow in %.2f ms: %s {%s} at '%s' to %s",
                  step.seconds * 1e3, least * 1e3, step.op.c_str(), step.attributes.c_str(), step.scope.c_str(),
                  step.outputs.empty() ? "nothing" : step.outputs[0].shape.toString().c_str());
    failure = text;
  }
  return slow;
}

void check(const std::string& name, const Graph& graph, const std::shared_ptr<Backend>& backend, DType activation,
           Rates& rates, std::vector<RateResult>& results) {
  Workload workload(name + " " + nameOf(activation), graph, backend, activation);
  std::map<std::string, std::string> slow;
  for (int i = 0; i < kMaxRuns; ++i) {
    workload.run();
    slow = slowSteps(workload, rates);
    if (i + 1 >= kRuns && std::ranges::all_of(slow, [](const auto& entry) { return entry.second.empty(); })) break;
    if (i % kRunsPerRates == kRunsPerRates - 1) {
      const Rates now = measureRates(backend, activation);
      rates = {std::min(rates.flops, now.flops), std::min(rates.bytes, now.bytes),
               std::min(rates.packedBytes, now.packedBytes), std::max(rates.startSeconds, now.startSeconds)};
    }
  }
  for (const auto& [op, failure] : slow) results.push_back({workload.name + ": rate of " + op, failure});
}

}  // namespace

std::vector<RateResult> checkRates(const std::shared_ptr<Backend>& backend) {
  std::vector<RateResult> results;
  for (DType activation : {DType::kF32, DType::kBF16}) {
    if (!backend->supports(activation)) continue;
    Rates rates = measureRates(backend, activation);
    for (const std::string& network : networks::networkNames()) {
      networks::NetworkSpec spec;
      spec.network = network;
      spec.variant = Variant::kAuthors;
      const bool classifier = networks::networkInfo(network).task == networks::Task::kClassification;
      // The comparators with a trillion operations a step say the same of smaller images.
      const bool isLarge = network == "dss" || network == "poolnet" || network == "egnet";
      const int64_t size = classifier ? 224 : isLarge ? 128 : 256;
      check(network + " inference", *networks::inferenceGraph(spec, 1, size, size, classifier), backend, activation,
            rates, results);
      train::TrainConfig config;
      config.task = networks::networkInfo(network).task;
      config.inputSize = size;
      const int64_t samples = classifier ? 2 : 1;
      const auto loss = train::taskLoss(networks::untrained(spec), config);
      check(network + " training", *train::stepGraph(loss, samples, {}), backend, activation, rates, results);
    }
  }
  return results;
}

}  // namespace jcs::conformance
