#include "native/compiled.h"

#include <cstdlib>

#include "backend/loader.h"
#include "native/harness.h"

namespace jcs {

std::string testDevice() {
  const char* device = std::getenv("JCS_TEST_DEVICE");
  return device ? device : "cpu";
}

std::shared_ptr<Backend> testBackend() {
  static const std::shared_ptr<Backend> backend = loadBackend(testDevice());
  return backend;
}

void requireBf16() {
  if (!testBackend()->supports(DType::kBF16)) test::skip("the device does not compute in bf16");
}

CompiledGraph::CompiledGraph(const Graph& graph, const NamedTensors& states, DType activation, int threads,
                             std::shared_ptr<Backend> backend, communication::Communicator* communicator,
                             const compiler::LayerRanges& quantized)
    : backend_(backend ? std::move(backend) : testBackend()),
      states_(std::make_unique<compiler::StateStore>(backend_)),
      program_(std::make_unique<compiler::Program>(
          graph, backend_,
          compiler::CompileOptions{
              activation,
              {.threads = std::min(threads, backend_->device().threads), .communicator = communicator},
              quantized.empty() ? nullptr : std::make_shared<const compiler::LayerRanges>(quantized)})),
      arena_(backend_, std::max<int64_t>(program_->arenaBytes(), 1)) {
  for (const auto& [name, id] : graph.outputs()) outputs_.push_back(name);
  addStates(graph, states);
}

void CompiledGraph::addStates(const Graph& graph, const NamedTensors& states) {
  for (const ValueInfo& info : graph.values()) {
    if (info.kind != ValueInfo::Kind::kState || states_->contains(info.name)) continue;
    const auto given = states.find(info.name);
    states_->set(info.name,
                 given == states.end() ? Tensor::zeros(DType::kF32, info.type.shape) : given->second.to(DType::kF32));
  }
}

NamedTensors CompiledGraph::run(const NamedTensors& inputs) {
  compiler::Bindings bindings;
  for (const auto& [name, tensor] : inputs) bindings.input(name, tensor);
  return run(std::move(bindings));
}

NamedTensors CompiledGraph::run(compiler::Bindings bindings) {
  NamedTensors results;
  for (const std::string& name : outputs_) {
    Tensor& result = results.emplace(name, Tensor(program_->outputType(name))).first->second;
    bindings.output(name, result);
  }
  program_->run(*states_, arena_.data(), bindings);
  return results;
}

}  // namespace jcs
