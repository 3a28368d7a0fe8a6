#include <array>

#include "native/compiled.h"
#include "native/harness.h"
#include "ops/elementwise.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

namespace jcs {

namespace {

/// The CPU as a device that records: while it does, kernels and copies are noted, with their addresses, and not done.
class RecordingBackend : public Backend {
 public:
  using Work = std::vector<std::function<void()>>;

  explicit RecordingBackend(std::shared_ptr<Backend> inner) : inner_(std::move(inner)) {}

  std::unique_ptr<Kernel> prepare(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs,
                                  const KernelOptions& options) override {
    return std::make_unique<NotedKernel>(inner_->prepare(op, inputs, outputs, options), *this);
  }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    ++recordings;
    if (refuses) return nullptr;
    auto recording = std::make_unique<NotedWork>(*this);
    noting_ = &recording->work;
    work();
    noting_ = nullptr;
    return recording;
  }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override {
    doOrNote([this, to, from, bytes] { inner_->copy(to, from, bytes); });
  }
  void upload(std::byte* device, const std::byte* host, int64_t bytes) override {
    invariant(!noting_, "a transfer is recorded");
    inner_->upload(device, host, bytes);
  }
  void download(std::byte* host, const std::byte* device, int64_t bytes) override {
    invariant(!noting_, "a transfer is recorded");
    inner_->download(host, device, bytes);
  }

  DeviceInfo device() const override { return inner_->device(); }
  std::vector<std::string> ops() const override { return inner_->ops(); }
  bool acceptsRowStride(const Op& op, bool isOutput, int index) const override {
    return inner_->acceptsRowStride(op, isOutput, index);
  }
  bool supports(DType dtype) const override { return inner_->supports(dtype); }
  std::byte* allocate(int64_t bytes) override { return inner_->allocate(bytes); }
  void release(std::byte* memory, int64_t bytes) noexcept override { inner_->release(memory, bytes); }
  int64_t freeBytes() const override { return inner_->freeBytes(); }
  void settle(std::byte*, int64_t bytes) noexcept override { settled.push_back(bytes); }

  std::vector<int64_t> settled;
  int recordings = 0, replays = 0;
  bool refuses = false;

 private:
  struct NotedWork : Recording {
    explicit NotedWork(RecordingBackend& b) : backend(b) {}
    void replay() override {
      ++backend.replays;
      for (const auto& item : work) item();
    }
    RecordingBackend& backend;
    Work work;
  };
  class NotedKernel : public Kernel {
   public:
    NotedKernel(std::unique_ptr<Kernel> inner, RecordingBackend& backend)
        : inner_(std::move(inner)), backend_(backend) {}
    void run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs,
             std::byte* scratch) override {
      backend_.doOrNote([this, in = std::vector(inputs.begin(), inputs.end()),
                         out = std::vector(outputs.begin(), outputs.end()),
                         scratch] { inner_->run(in, out, scratch); });
    }
    int64_t scratchBytes() const override { return inner_->scratchBytes(); }
    int64_t packedBytes(int input) const override { return inner_->packedBytes(input); }
    void pack(int input, const std::byte* source, std::byte* packed) override {
      backend_.doOrNote([=, this] { inner_->pack(input, source, packed); });
    }

   private:
    std::unique_ptr<Kernel> inner_;
    RecordingBackend& backend_;
  };

  void doOrNote(std::function<void()> item) {
    if (noting_) {
      noting_->push_back(std::move(item));
    } else {
      item();
    }
  }

  std::shared_ptr<Backend> inner_;
  Work* noting_ = nullptr;
};

/// A training step of a small network, and what it is fed.
std::unique_ptr<Graph> smallStep() {
  networks::NetworkSpec spec;
  spec.network = "res2net50-v1b";
  spec.width = 0.125;
  train::TrainConfig config;
  config.task = networks::Task::kClassification;
  config.inputSize = 64;
  return train::stepGraph(train::taskLoss(networks::untrained(spec), config), 2, {});
}

NamedTensors filled(const Graph& graph, ValueInfo::Kind kind, int step) {
  NamedTensors tensors;
  for (const ValueInfo& info : graph.values()) {
    if (info.kind != kind) continue;
    Tensor tensor = Tensor::zeros(DType::kF32, info.type.shape);
    unsigned state = static_cast<unsigned>(step) * 977u + 1;
    const bool positive = info.name.ends_with("running_var") || kind == ValueInfo::Kind::kInput;
    for (float& value : tensor.as<float>()) {
      state = state * 1664525u + 1013904223u;
      value = static_cast<float>(state >> 8) * 0x1p-24f * 0.1f + (positive ? 0.01f : -0.05f);
    }
    tensors[info.name] = std::move(tensor);
  }
  return tensors;
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::equal(a.data(), a.data() + a.bytes(), b.data());
}

}  // namespace

TEST("a recorded training step does what its steps do") {
  const auto graph = smallStep();
  const NamedTensors states = filled(*graph, ValueInfo::Kind::kState, 1);
  const auto recording = std::make_shared<RecordingBackend>(testBackend());
  CompiledGraph direct(*graph, states), recorded(*graph, states, DType::kF32, 2, recording);
  for (int step = 0; step < 5; ++step) {
    const NamedTensors inputs = filled(*graph, ValueInfo::Kind::kInput, step);
    const NamedTensors expected = direct.run(inputs), actual = recorded.run(inputs);
    for (const auto& [name, value] : expected) CHECK(equal(actual.at(name), value));
    if (step == 2) {  // changed from outside: what is derived from it has to follow
      const std::string name = direct.states().entries().begin()->first;
      const NamedTensors others = filled(*graph, ValueInfo::Kind::kState, 9);
      const Tensor& changed = others.at(name);
      direct.states().set(name, changed);
      recorded.states().set(name, changed);
    }
  }
  for (const auto& [name, entry] : direct.states().entries())
    CHECK(equal(recorded.states().get(name), direct.states().get(name)));
  CHECK_EQUAL(recording->recordings, 1);
  CHECK_EQUAL(recording->replays, 4);  // the first run is not recorded
}

TEST("memory is settled for what runs often: a step from the start, another program once it comes again") {
  Graph graph;
  const TensorType type{DType::kF32, {64, 64}};
  graph.output("y", multiply(graph.input("x", type), graph.state("w", type)));
  const auto step = smallStep();
  for (const Graph* const program : std::array<const Graph*, 2>{&graph, step.get()}) {
    const auto backend = std::make_shared<RecordingBackend>(testBackend());
    CompiledGraph compiled(*program, filled(*program, ValueInfo::Kind::kState, 1), DType::kF32, 2, backend);
    std::vector<size_t> calls;
    for (int run = 0; run < 3; ++run) {
      compiled.run(filled(*program, ValueInfo::Kind::kInput, run));
      calls.push_back(backend->settled.size());
    }
    CHECK_EQUAL(calls[0] == 0, program == &graph);
    CHECK(calls[1] > 0 && calls[2] == calls[1]);
    CHECK(std::ranges::count(backend->settled, compiled.program().arenaBytes()) == 1);
  }
}

TEST("work that cannot be recorded runs as its steps, and nobody asks again") {
  const auto graph = smallStep();
  const NamedTensors states = filled(*graph, ValueInfo::Kind::kState, 1);
  const auto refusing = std::make_shared<RecordingBackend>(testBackend());
  refusing->refuses = true;
  CompiledGraph direct(*graph, states), refused(*graph, states, DType::kF32, 2, refusing);
  for (int step = 0; step < 4; ++step) {
    const NamedTensors inputs = filled(*graph, ValueInfo::Kind::kInput, step);
    const NamedTensors expected = direct.run(inputs), actual = refused.run(inputs);
    for (const auto& [name, value] : expected) CHECK(equal(actual.at(name), value));
  }
  CHECK_EQUAL(refusing->recordings, 1);
  CHECK_EQUAL(refusing->replays, 0);
}

TEST("a first run that was cancelled is none: libraries have loaded nothing") {
  const auto graph = smallStep();
  const auto recording = std::make_shared<RecordingBackend>(testBackend());
  compiler::Program program(*graph, recording, {});
  compiler::StateStore states(recording);
  for (const auto& [name, value] : filled(*graph, ValueInfo::Kind::kState, 1)) states.set(name, value);
  const NamedTensors inputs = filled(*graph, ValueInfo::Kind::kInput, 1);
  compiler::Bindings bindings;
  for (const auto& [name, value] : inputs) bindings.input(name, value);
  const DeviceBuffer arena(recording, program.arenaBytes());
  const std::atomic<bool> cancelled = true;
  CHECK_ERROR([&] { program.run(states, arena.data(), bindings, &cancelled); }, errors::kCancelled, "cancelled");
  program.run(states, arena.data(), bindings);
  CHECK_EQUAL(recording->recordings, 0);
  program.run(states, arena.data(), bindings);
  CHECK_EQUAL(recording->recordings, 1);
}

TEST("a program gives the same bits whenever it runs, beside others and in other memory") {
  const auto graph = smallStep();
  const auto backend = testBackend();
  const NamedTensors states = filled(*graph, ValueInfo::Kind::kState, 1),
                     inputs = filled(*graph, ValueInfo::Kind::kInput, 1);
  CompiledGraph other(*graph, states);
  NamedTensors expected;
  for (const int runs : {1, 2, 4}) {  // as its steps; recorded; replayed
    compiler::Program program(*graph, backend, {});
    compiler::StateStore store(backend);
    for (const auto& [name, value] : states) store.set(name, value);
    DeviceBuffer one(backend, program.arenaBytes()), two(backend, 2 * program.arenaBytes());
    compiler::Bindings bindings;
    for (const auto& [name, value] : inputs) bindings.input(name, value);
    NamedTensors results;
    for (const auto& [name, id] : graph->outputs())
      bindings.output(name, results.emplace(name, Tensor(program.outputType(name))).first->second);
    for (const DeviceBuffer* arena : {&one, &two})
      for (int run = 0; run < runs; ++run) {
        for (const auto& [name, value] : states) store.set(name, value);  // a step changes them
        program.run(store, arena->data(), bindings);
        other.run(inputs);
        if (expected.empty())
          for (const auto& [name, value] : results) expected.emplace(name, value.clone());
        for (const auto& [name, value] : results) CHECK(equal(value, expected.at(name)));
      }
  }
}

TEST("what is recorded is recorded again for other memory") {
  const auto graph = smallStep();
  const auto recording = std::make_shared<RecordingBackend>(testBackend());
  const compiler::CompileOptions options;
  compiler::Program program(*graph, recording, options);
  compiler::StateStore states(recording);
  for (const auto& [name, value] : filled(*graph, ValueInfo::Kind::kState, 1)) states.set(name, value);
  const NamedTensors inputs = filled(*graph, ValueInfo::Kind::kInput, 1);
  compiler::Bindings bindings;
  for (const auto& [name, value] : inputs) bindings.input(name, value);
  DeviceBuffer one(recording, program.arenaBytes()), other(recording, program.arenaBytes());
  for (const DeviceBuffer* arena : {&one, &one, &other, &other, &other}) program.run(states, arena->data(), bindings);
  CHECK_EQUAL(recording->recordings, 2);
  CHECK_EQUAL(recording->replays, 3);

  const auto before = states.get(states.entries().begin()->first);
  const std::atomic<bool> cancelled = true;
  CHECK_ERROR([&] { program.run(states, other.data(), bindings, &cancelled); }, errors::kCancelled, "cancelled");
  CHECK(equal(states.get(states.entries().begin()->first), before));
  CHECK_EQUAL(recording->replays, 3);
}

}  // namespace jcs
