#include "native/reference_run.h"

#include <cmath>
#include <limits>

#include "backend/reference/reference.h"

namespace jcs {

namespace {

Tensor lookUp(const NamedTensors& tensors, const ValueInfo& info) {
  const auto found = tensors.find(info.name);
  if (found == tensors.end()) throw std::runtime_error("nothing is given for '" + info.name + "'");
  if (found->second.shape() != info.type.shape)
    throw std::runtime_error("'" + info.name + "' has shape " + info.type.shape.toString() + ", given is " +
                             found->second.shape().toString());
  return found->second.dtype() == DType::kU8 ? found->second.clone() : found->second.to(DType::kF64);
}

}  // namespace

ReferenceRun runOnReference(const Graph& graph, const NamedTensors& inputs, const NamedTensors& states) {
  const std::shared_ptr<Backend> backend = reference::createBackend();
  PerValue<Tensor> values;
  for (const ValueInfo& info : graph.values()) {
    switch (info.kind) {
      case ValueInfo::Kind::kInput: values.add(lookUp(inputs, info)); break;
      case ValueInfo::Kind::kState: values.add(lookUp(states, info)); break;
      case ValueInfo::Kind::kConstant: values.add(info.constant->to(DType::kF64)); break;
      case ValueInfo::Kind::kComputed:
        values.add(Tensor(info.type.dtype == DType::kU8 ? DType::kU8 : DType::kF64, info.type.shape));
        break;
    }
  }
  for (const Node& node : graph.nodes()) {
    std::vector<Operand> inputOperands, outputOperands;
    std::vector<const std::byte*> read;
    std::vector<std::byte*> written;
    for (const ValueId id : node.inputs) {
      inputOperands.push_back(Operand::dense(values[id].type()));
      read.push_back(values[id].data());
    }
    for (const ValueId id : node.outputs) {
      outputOperands.push_back(Operand::dense(values[id].type()));
      written.push_back(values[id].data());
    }
    const auto kernel = backend->prepare(*node.op, inputOperands, outputOperands, {});
    HostBuffer scratch(kernel->scratchBytes());
    kernel->run(read, written, scratch.data());
  }
  ReferenceRun result;
  for (const auto& [name, id] : graph.outputs()) result.outputs[name] = values[id].clone();
  for (const auto& [state, value] : graph.assignments())
    result.assignments[graph.values()[state].name] = values[value].clone();
  return result;
}

double relativeError(const Tensor& value, const Tensor& expected) {
  if (value.elements() != expected.elements()) return std::numeric_limits<double>::infinity();
  const Tensor a = value.to(DType::kF64), b = expected.to(DType::kF64);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.as<double>().size(); ++i) {
    const double d = a.as<double>()[i] - b.as<double>()[i];
    difference += d * d;
    norm += b.as<double>()[i] * b.as<double>()[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

}  // namespace jcs
