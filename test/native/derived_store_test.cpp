#include "compiler/derived_store.h"

#include <algorithm>

#include "native/compiled.h"
#include "native/harness.h"
#include "networks/registry.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"

namespace jcs {

namespace {

std::unique_ptr<Graph> network(int64_t batch) {
  networks::NetworkSpec spec;
  spec.network = "res2net50-v1b";
  spec.width = 0.25;
  return networks::inferenceGraph(spec, batch, 64, 64, false);
}

Tensor values(const TensorType& type, unsigned seed, float low, float high) {
  Tensor tensor(type);
  for (float& value : tensor.as<float>()) {
    seed = seed * 1664525u + 1013904223u;
    value = low + static_cast<float>(seed >> 8) * 0x1p-24f * (high - low);
  }
  return tensor;
}

void fill(compiler::StateStore& states, const Graph& graph, unsigned seed) {
  for (const ValueInfo& info : graph.values())
    if (info.kind == ValueInfo::Kind::kState)
      states.set(info.name, info.name.ends_with("running_var") ? values(info.type, seed, 0.5f, 1)
                                                               : values(info.type, seed, -0.05f, 0.05f));
}

std::vector<float> logits(compiler::Program& program, compiler::StateStore& states) {
  const Tensor image = values(program.inputType("image"), 5, -1, 1);
  Tensor result(program.outputType("logits"));
  DeviceBuffer arena(testBackend(), program.arenaBytes());
  compiler::Bindings bindings;
  bindings.input(networks::kImageInput, image.as<float>());
  bindings.output(networks::kLogitsOutput, result.as<float>());
  program.run(states, arena.data(), bindings);
  return {result.as<float>().begin(), result.as<float>().end()};
}

/// What a program makes of the state that has nothing to share with.
std::vector<float> logitsAlone(int64_t batch, compiler::StateStore& states, const compiler::CompileOptions& options) {
  compiler::Program program(*network(batch), testBackend(), options);
  return logits(program, states);
}

}  // namespace

TEST("programs of other batches share what is derived from the weights") {
  for (const DType activation : {DType::kF32, DType::kBF16}) {
    if (!testBackend()->supports(activation)) continue;
    const compiler::CompileOptions options{activation, {}};
    compiler::StateStore states(testBackend());
    fill(states, *network(1), 1);
    compiler::DerivedStore shared;
    auto one = std::make_unique<compiler::Program>(*network(4), testBackend(), options, &shared);
    const size_t alone = shared.size();
    CHECK(alone > 50);
    const int64_t aloneBytes = shared.bytes();
    CHECK(aloneBytes > 0);
    CHECK(aloneBytes <= one->persistentBytes());
    auto other = std::make_unique<compiler::Program>(*network(5), testBackend(), options, &shared);
    CHECK(shared.size() < alone + alone / 4);  // layouts may depend on the batch, but few do
    CHECK(shared.bytes() < aloneBytes + aloneBytes / 4);

    // Each makes what the other then reads; after a change, the other way round.
    CHECK(logits(*one, states) == logitsAlone(4, states, options));
    CHECK(logits(*other, states) == logitsAlone(5, states, options));
    fill(states, *network(1), 2);
    const auto changed = logits(*other, states);
    CHECK(changed == logitsAlone(5, states, options));
    CHECK(logits(*one, states) == logitsAlone(4, states, options));

    one.reset();
    CHECK(logits(*other, states) == changed);
    other.reset();
    CHECK_EQUAL(shared.size(), size_t{0});
    CHECK_EQUAL(shared.bytes(), int64_t{0});
  }
}

TEST("what is derived from constants alone is computed, in a program without states too") {
  Graph graph;
  const Value x = graph.input("x", {DType::kF32, {2}});
  const float factors[] = {3, 5};
  const Value constant = graph.constant(Tensor::fromFloats({2}, factors));
  graph.output("y", multiply(x, add(constant, constant)));
  CompiledGraph compiled(graph, {});
  const float input[] = {1, -2};
  for (int run = 0; run < 2; ++run) {
    NamedTensors inputs;
    inputs["x"] = Tensor::fromFloats({2}, input);
    const NamedTensors found = compiled.run(inputs);
    CHECK_EQUAL(found.at("y").as<float>()[0], 6.0f);
    CHECK_EQUAL(found.at("y").as<float>()[1], -20.0f);
  }
}

TEST("precisions and sources keep derived values apart") {
  compiler::DerivedStore shared;
  compiler::StateStore states(testBackend());
  fill(states, *network(1), 1);
  compiler::Program exact(*network(4), testBackend(), {DType::kF32, {}}, &shared);
  const auto expected = logits(exact, states);
  if (testBackend()->supports(DType::kBF16)) {
    const compiler::CompileOptions options{DType::kBF16, {}};
    compiler::Program rounded(*network(4), testBackend(), options, &shared);
    CHECK(logits(rounded, states) == logitsAlone(4, states, options));
  }
  CHECK(logits(exact, states) == expected);
}

namespace {

/// Keeps what it is given in memory.
class MemoryArchive : public compiler::DerivedArchive {
 public:
  std::shared_ptr<const compiler::DerivedMemory> find(std::span<const Value> values) noexcept override {
    return std::ranges::equal(values, values_, {}, &Value::key, &Value::key) ? memory_ : nullptr;
  }
  void keep(std::vector<Value> values, std::shared_ptr<const compiler::DerivedMemory> memory) noexcept override {
    values_ = std::move(values);
    memory_ = std::move(memory);
    ++kept_;
  }
  int kept() const { return kept_; }

 private:
  std::vector<Value> values_;
  std::shared_ptr<const compiler::DerivedMemory> memory_;
  int kept_ = 0;
};

class NoSource : public compiler::StateSource {
 public:
  void read(const std::string& name, std::span<float>) const override {
    fail(errors::kInternal, "'" + name + "' is read");
  }
};

}  // namespace

TEST("what an archive has of derived values is used without reading the state, and is not kept again") {
  const auto archive = std::make_shared<MemoryArchive>();
  std::vector<float> expected;
  {
    compiler::DerivedStore shared(archive);
    compiler::StateStore states(testBackend());
    fill(states, *network(2), 1);
    compiler::Program first(*network(2), testBackend(), {DType::kF32, {}}, &shared);
    expected = logits(first, states);
    CHECK_EQUAL(archive->kept(), 1);
    compiler::Program second(*network(2), testBackend(), {DType::kF32, {}}, &shared);
    CHECK(logits(second, states) == expected);
  }
  compiler::DerivedStore shared(archive);
  compiler::StateStore states(testBackend());
  const auto graph = network(2);
  fill(states, *graph, 1);
  for (const ValueInfo& info : graph->values())  // the last layer's are read as they are
    if (info.kind == ValueInfo::Kind::kState && !info.name.starts_with("fc."))
      states.setSource(info.name, info.type, std::make_shared<NoSource>());
  compiler::Program program(*graph, testBackend(), {DType::kF32, {}}, &shared);
  for (int run = 0; run < 2; ++run) CHECK(logits(program, states) == expected);
  CHECK_EQUAL(archive->kept(), 1);
}

TEST("what two steps pack alike is packed once a run, and anew in the next when its source has changed") {
  Graph graph;
  const Value x = graph.input("x", {DType::kF32, {1, 9, 8, 16}});
  const Value w = graph.state("w", {DType::kF32, {16, 16, 3, 3}});
  const Value first = conv2d(x, w, std::nullopt, {.padding = 1});
  const Value between = sigmoid(first);  // lies in memory that a packed form must not share
  graph.output("y", conv2d(between, w, std::nullopt, {.padding = 1}));
  graph.assign(w, multiply(w, 0.5f));

  NamedTensors inputs, states;
  inputs["x"] = values({DType::kF32, {1, 9, 8, 16}}, 1, -1, 1);
  states["w"] = values({DType::kF32, {16, 16, 3, 3}}, 2, -1, 1);
  CompiledGraph compiled(graph, states);
  for (int run = 0; run < 3; ++run) {
    const ReferenceRun expected = runOnReference(graph, inputs, states);
    CHECK(relativeError(compiled.run(inputs).at("y"), expected.outputs.at("y")) <= 1e-5);
    states["w"] = compiled.states().get("w");
    CHECK(relativeError(states["w"], expected.assignments.at("w")) <= 1e-6);
  }
}

}  // namespace jcs
