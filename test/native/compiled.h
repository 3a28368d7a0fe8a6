#pragma once

#include <functional>
#include <memory>

#include "compiler/program.h"
#include "native/reference_run.h"

namespace jcs {

/// The device of the tests: JCS_TEST_DEVICE, or "cpu".
std::string testDevice();
/// Its backend, loaded once. DEVICE_UNAVAILABLE, which fails the test, when it cannot be used.
std::shared_ptr<Backend> testBackend();
/// Skips the running test where that device does not compute in bf16.
void requireBf16();

/// A compiled graph with its states: what a model is to the engine, without a network around it.
class CompiledGraph {
 public:
  /// States are taken from `states`; those that it lacks start at zero. On the tests' device unless `backend` is given.
  CompiledGraph(const Graph& graph, const NamedTensors& states, DType activation = DType::kF32, int threads = 2,
                std::shared_ptr<Backend> backend = nullptr, communication::Communicator* communicator = nullptr,
                const compiler::LayerRanges& quantized = {});

  /// All outputs, float32.
  NamedTensors run(const NamedTensors& inputs);
  NamedTensors run(compiler::Bindings bindings);
  compiler::StateStore& states() { return *states_; }
  compiler::Program& program() { return *program_; }

 private:
  void addStates(const Graph& graph, const NamedTensors& states);
  std::shared_ptr<Backend> backend_;
  std::unique_ptr<compiler::StateStore> states_;
  std::unique_ptr<compiler::Program> program_;
  std::vector<std::string> outputs_;
  DeviceBuffer arena_;
};

}  // namespace jcs
