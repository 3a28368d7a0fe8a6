#include "model/quantized_graph.h"

#include "compiler/derived_values.h"
#include "compiler/passes.h"

namespace jcs::model {

std::vector<std::string> quantizableLayers(const ModelMetadata& metadata) {
  const auto graph = networks::inferenceGraph(metadata.spec, 1, metadata.inputSize, metadata.inputSize);
  return compiler::quantizableLayers(*compiler::optimize(*graph, DType::kF32));
}

std::unique_ptr<Graph> quantizedGraph(Model& model, int64_t n, int64_t height, int64_t width) {
  const ModelMetadata metadata = model.metadata();
  require(!metadata.quantized.empty(), errors::kInvalidArgument,
          "the model is not quantised; `quantize` does that with some slices");
  const auto built = networks::inferenceGraph(metadata.spec, n, height, width);
  const auto graph = compiler::optimize(*built, DType::kF32, 1, &metadata.quantized);
  const compiler::DerivedValues derived = compiler::derivedValues(*graph);
  std::map<ValueId, Tensor> values;
  model.engine().runAndWait([&] {
    model.requireAlive();
    compiler::CompileOptions options = model.compileOptions();
    options.activation = DType::kF32;
    compiler::Program program(*derived.graph, model.engine().sharedBackend(), options);
    compiler::Bindings bindings;
    for (const auto& [name, id] : derived.values)
      bindings.output(name, values.emplace(id, Tensor(program.outputType(name))).first->second);
    model.run(program, bindings);
  });
  return compiler::withConstants(*graph, std::move(values));
}

}  // namespace jcs::model
