#include "core/json.h"
#include "core/philox.h"
#include "cuda_emulation/emulated_backend.h"
#include "native/compiled.h"
#include "native/fixtures.h"
#include "native/harness.h"
#include "networks/registry.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

/// Whole networks, compiled, on the CUDA backend's own kernels as the host emulates them, against the float64
/// reference, which knows neither the compiler nor the kernels.

using namespace jcs;
using Json = nlohmann::json;

namespace {

Json fixtureOf(const std::string& network) { return fixturesIn("curves/" + network).at(0); }

/// Numbers for an input of a network or of a step's graph, by what it is called.
Tensor inputTensor(const ValueInfo& info, const train::OptimizerOptions& optimizer) {
  if (info.name == train::kHyperInput.name) {
    const std::vector<float> hyper = train::hyperParameters(optimizer, 1e-2, 1);
    return Tensor::fromFloats(info.type.shape, hyper);
  }
  Philox random(7, 0, static_cast<uint32_t>(info.name.size()), RandomPurpose::kInitialise);
  Tensor tensor(DType::kF32, info.type.shape);
  for (float& value : tensor.as<float>()) value = random.uniform();
  if (info.name == "mask")
    for (float& value : tensor.as<float>()) value = value < 0.4f ? 1.0f : 0.0f;
  if (info.name == "targets")
    for (size_t i = 0; i < tensor.as<float>().size(); i += 2) tensor.as<float>()[i + 1] = 1 - tensor.as<float>()[i];
  return tensor;
}

struct Numbers {
  NamedTensors inputs, states;
};

Numbers numbersFor(const Graph& graph, const NamedTensors& weights, const train::OptimizerOptions& optimizer) {
  Numbers numbers;
  for (const ValueInfo& info : graph.values()) {
    if (info.kind == ValueInfo::Kind::kInput) numbers.inputs[info.name] = inputTensor(info, optimizer);
    if (info.kind != ValueInfo::Kind::kState) continue;
    const auto given = weights.find(info.name);
    numbers.states[info.name] =
        given == weights.end() ? Tensor::zeros(DType::kF32, info.type.shape) : given->second.clone();
  }
  return numbers;
}

void checkClose(const std::string& what, const Tensor& ours, const Tensor& expected, double bound) {
  const double error = relativeError(ours, expected);
  if (!(error <= bound)) test::reportFailure(__FILE__, __LINE__, what + " is off by " + std::to_string(error));
}

void checkInference(const std::string& network, DType activation, double bound) {
  const Json fixture = fixtureOf(network);
  const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
  const bool classifies = networks::networkInfo(spec.network).task == networks::Task::kClassification;
  const auto graph = networks::inferenceGraph(spec, 2, 64, 64, classifies);
  const Numbers numbers = numbersFor(*graph, fixtureTensors(fixture.at("weights")), {});
  const ReferenceRun expected = runOnReference(*graph, numbers.inputs, numbers.states);
  CompiledGraph compiled(*graph, numbers.states, activation, 1, createEmulatedCudaBackend());
  for (const auto& [name, tensor] : compiled.run(numbers.inputs))
    checkClose(network + " " + name, tensor, expected.outputs.at(name), bound);
}

/// One step: the losses and, of everything that it assigns, the values afterwards.
void checkStep(const std::string& network, networks::Task task, DType activation, double lossBound, double stateBound) {
  const Json fixture = fixtureOf(network);
  train::TrainConfig config;
  config.task = task;
  config.inputSize = 64;
  config.activationLoss = task == networks::Task::kClassification;
  config.optimizer.weightDecay = 1e-4f;
  const auto graph = train::stepGraph(train::taskLoss(fixtureSpec(fixture.at("spec")), config), 2, config.optimizer);
  const Numbers numbers = numbersFor(*graph, fixtureTensors(fixture.at("weights")), config.optimizer);
  const ReferenceRun expected = runOnReference(*graph, numbers.inputs, numbers.states);
  CompiledGraph compiled(*graph, numbers.states, activation, 1,
                         createEmulatedCudaBackend(cuda_emulation::Order::kShuffled));
  for (const auto& [name, tensor] : compiled.run(numbers.inputs))
    checkClose(network + " " + name, tensor, expected.outputs.at(name), lossBound);
  size_t states = 0;
  for (const auto& [name, value] : expected.assignments) {
    if (name.starts_with(train::kOptimizerPrefix)) continue;  // gradients, some of which are rounding alone
    checkClose(network + " " + name + " after the step", compiled.states().get(name), value, stateBound);
    ++states;
  }
  CHECK(states > 50);
}

}  // namespace

TEST("networks on the emulated CUDA kernels give the reference's results") {
  for (const char* network : {"jcs-segmentation", "res2net50"}) checkInference(network, DType::kF32, 1e-4);
}

TEST("networks on the emulated CUDA kernels stay close to the reference in bf16") {
  for (const char* network : {"jcs-segmentation", "res2net50"}) checkInference(network, DType::kBF16, 5e-2);
}

TEST("a training step on the emulated CUDA kernels is the reference's") {
  checkStep("jcs-segmentation", networks::Task::kSegmentation, DType::kF32, 1e-4, 1e-4);
  checkStep("res2net50", networks::Task::kClassification, DType::kF32, 1e-4, 1e-4);
}

TEST("a bf16 training step on the emulated CUDA kernels stays close to the reference's") {
  checkStep("jcs-segmentation", networks::Task::kSegmentation, DType::kBF16, 3e-2, 3e-2);
  checkStep("res2net50", networks::Task::kClassification, DType::kBF16, 3e-2, 3e-2);
}
