#include "conformance/evaluate.h"

namespace jcs::conformance {

std::vector<Tensor> evaluateOp(Backend& reference, const Op& op, std::span<const Tensor* const> inputs,
                               std::span<const Shape> outputs) {
  std::vector<Tensor> converted, results;
  converted.reserve(inputs.size());
  std::vector<Operand> inputOperands, outputOperands;
  std::vector<const std::byte*> inputData;
  std::vector<std::byte*> outputData;
  for (const Tensor* input : inputs) {
    const bool ready = input->dtype() == DType::kF64 || input->dtype() == DType::kU8;
    if (!ready) converted.push_back(input->to(DType::kF64));
    const Tensor& source = ready ? *input : converted.back();
    inputOperands.push_back(Operand::dense(source.type()));
    inputData.push_back(source.data());
  }
  results.reserve(outputs.size());
  std::vector<TensorType> types;
  for (const Operand& operand : inputOperands) types.push_back(operand.type);
  types = op.infer(types);
  for (size_t k = 0; k < outputs.size(); ++k) {
    results.emplace_back(types[k].dtype == DType::kU8 ? DType::kU8 : DType::kF64, outputs[k]);
    outputOperands.push_back(Operand::dense(results.back().type()));
    outputData.push_back(results.back().data());
  }
  reference.prepare(op, inputOperands, outputOperands, {})->run(inputData, outputData, nullptr);
  return results;
}

PerValue<Tensor> Evaluation::run(std::span<const Tensor> inputs, size_t nodeCount) const {
  PerValue<Tensor> values;
  size_t nextInput = 0;
  for (const ValueInfo& info : graph_.values()) {
    Tensor& value = values[values.add({})];
    if (info.kind == ValueInfo::Kind::kInput) {
      const Tensor& input = inputs[nextInput++];
      value = input.dtype() == DType::kU8 ? input.clone() : input.to(DType::kF64);
    }
    if (info.kind == ValueInfo::Kind::kConstant) value = info.constant->to(DType::kF64);
  }
  for (const Node& node : graph_.nodes() | std::views::take(nodeCount)) {
    std::vector<const Tensor*> operands;
    std::vector<Shape> shapes;
    for (const ValueId id : node.inputs) operands.push_back(&values[id]);
    for (const ValueId id : node.outputs) shapes.push_back(graph_.values()[id].type.shape);
    std::vector<Tensor> results = evaluateOp(reference_, *node.op, operands, shapes);
    for (size_t k = 0; k < results.size(); ++k) values[node.outputs[k]] = std::move(results[k]);
  }
  return values;
}

}  // namespace jcs::conformance
