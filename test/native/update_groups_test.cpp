#include <algorithm>

#include "compiler/passes.h"
#include "core/philox.h"
#include "cuda_emulation/emulated_backend.h"
#include "native/compiled.h"
#include "native/harness.h"
#include "networks/registry.h"
#include "ops/elementwise.h"
#include "ops/optimizer.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

/// Small updates that a device takes at once, against the float64 reference, which takes them one by one.

using namespace jcs;

namespace {

Tensor randomTensor(const Shape& shape, uint32_t sample) {
  Philox random(11, 0, sample, RandomPurpose::kInitialise);
  Tensor tensor(DType::kF32, shape);
  for (float& value : tensor.as<float>()) value = random.uniform() + 0.1f;
  return tensor;
}

NamedTensors randomStates(const Graph& graph) {
  NamedTensors states;
  for (const ValueInfo& info : graph.values())
    if (info.kind == ValueInfo::Kind::kState)
      states[info.name] = randomTensor(info.type.shape, static_cast<uint32_t>(states.size()));
  return states;
}

std::vector<std::shared_ptr<Backend>> backends() {
  return {createEmulatedCudaBackend(), createEmulatedCudaBackend(cuda_emulation::Order::kReverse), testBackend()};
}

/// Runs `steps` times on every backend; states and outputs are the reference's each time.
void checkUpdates(const Graph& graph, const NamedTensors& inputs, int steps = 3) {
  for (const auto& backend : backends()) {
    const NamedTensors start = randomStates(graph);
    CompiledGraph compiled(graph, start, DType::kF32, 1, backend);
    NamedTensors states;
    for (const auto& [name, tensor] : start) states[name] = tensor.clone();
    for (int step = 0; step < steps; ++step) {
      const ReferenceRun expected = runOnReference(graph, inputs, states);
      const NamedTensors outputs = compiled.run(inputs);
      for (const auto& [name, value] : expected.outputs) CHECK(relativeError(outputs.at(name), value) <= 1e-6);
      for (const auto& [name, value] : expected.assignments) {
        states[name] = compiled.states().get(name);
        if (!(relativeError(states[name], value) <= 1e-6))
          test::reportFailure(__FILE__, __LINE__, backend->device().name + ": " + name);
      }
    }
  }
}

size_t stepsOf(const Graph& graph, const std::shared_ptr<Backend>& backend, std::string_view op) {
  CompiledGraph compiled(graph, randomStates(graph), DType::kF32, 1, backend);
  return static_cast<size_t>(std::ranges::count(compiled.program().steps(), op, &compiler::Program::StepInfo::op));
}

Value state(Graph& graph, const std::string& name, const Shape& shape) {
  return graph.state(name, {DType::kF32, shape}, {Initializer::constant(0), true});
}

}  // namespace

TEST("updates at once: more arrays than a kernel takes, of sizes that end anywhere") {
  Graph graph;
  const Value rate = graph.input("rate", {DType::kF32, {1}});
  for (int64_t i = 0; i < 300; ++i) {
    const Shape shape{i % 7 == 0 ? 4096 * (i % 3) + i : 1 + i % 40};
    const std::string name = "w" + std::to_string(i);
    auto op = std::make_shared<SgdUpdate>();
    op->weightDecay = 0.01f;
    const Value w = state(graph, name, shape), velocity = state(graph, name + ".v", shape);
    const Value inputs[] = {w, state(graph, name + ".g", shape), velocity, rate};
    const auto next = addNodeWithOutputs(op, inputs);
    graph.assign(w, next[0]);
    graph.assign(velocity, next[1]);
  }
  NamedTensors inputs;
  inputs["rate"] = randomTensor({1}, 999);
  checkUpdates(graph, inputs);
  CHECK_EQUAL(stepsOf(graph, createEmulatedCudaBackend(), SgdUpdate::kName), 1u);
}

TEST("updates at once: a state that another of them reads is not overwritten first") {
  Graph graph;
  std::vector<Value> states;
  for (int i = 0; i < 6; ++i) states.push_back(state(graph, "s" + std::to_string(i), {5}));
  // Each takes its neighbour's old value, the last the first's.
  for (size_t i = 0; i < states.size(); ++i) graph.assign(states[i], add(states[i], states[(i + 1) % states.size()]));
  checkUpdates(graph, {});
  CHECK_EQUAL(stepsOf(graph, createEmulatedCudaBackend(), Binary::kName), 1u);
}

TEST("updates at once: those that read another's result come after it, and what is read elsewhere stays where it was") {
  Graph graph;
  const Value x = graph.input("x", {DType::kF32, {3, 5}});
  Value seen = x;
  for (int i = 0; i < 4; ++i) {
    const Value follower = state(graph, "f" + std::to_string(i), {3, 5});
    const Value first = add(follower, x);
    graph.assign(follower, add(first, multiply(follower, 0.5f)));
    const Value used = state(graph, "u" + std::to_string(i), {3, 5});
    const Value next = add(used, seen);
    graph.assign(used, next);
    seen = multiply(next, x);
  }
  graph.output("seen", seen);
  NamedTensors inputs;
  inputs["x"] = randomTensor({3, 5}, 1000);
  checkUpdates(graph, inputs);
}

TEST("updates at once: a training step has few of them") {
  const networks::NetworkSpec spec{.network = "res2net50-v1b", .width = 0.125};
  train::TrainConfig config;
  config.task = networks::Task::kClassification;
  config.inputSize = 64;
  const auto graph = train::stepGraph(train::taskLoss(spec, config), 2, config.optimizer);
  const auto emulated = createEmulatedCudaBackend();
  const auto nodesOf = [optimized = compiler::optimize(*graph, DType::kF32)](std::string_view op) {
    return static_cast<size_t>(
        std::ranges::count_if(optimized->nodes(), [&](const Node& node) { return node.op->name() == op; }));
  };
  CHECK(nodesOf(SgdUpdate::kName) > 200u);
  CHECK_EQUAL(stepsOf(*graph, emulated, SgdUpdate::kName), 1u);
  // Of mean and variance of each of 87 norms: two products, a difference, a sum.
  CHECK_EQUAL(nodesOf(Binary::kName) - stepsOf(*graph, emulated, Binary::kName), 87u * 2 * 4 - 3);
}
