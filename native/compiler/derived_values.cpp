#include "compiler/derived_values.h"

#include <algorithm>

#include "compiler/derivation.h"
#include "compiler/rewrite.h"

namespace jcs::compiler {

namespace {

using Replacement = std::optional<std::vector<Value>>;

}  // namespace

DerivedValues derivedValues(const Graph& graph) {
  const PerValue<bool> derived = findDerived(graph);
  DerivedValues result;
  for (const Node& node : graph.nodes()) {
    if (derived[node.outputs[0]]) continue;
    for (const ValueId id : node.inputs)
      if (derived[id] && graph.values()[id].kind == ValueInfo::Kind::kComputed)
        result.values.emplace("derived " + std::to_string(static_cast<int>(id)), id);
  }
  result.graph = std::make_unique<Graph>();
  PerValue<Value> copies(graph.values().size());
  const auto copyOf = [&](ValueId id) {
    const ValueInfo& value = graph.values()[id];
    if (value.kind == ValueInfo::Kind::kState) return result.graph->state(value.name, value.type, value.state);
    if (value.kind == ValueInfo::Kind::kConstant) return result.graph->constant(value.constant->clone());
    return copies[id];
  };
  for (const Node& node : graph.nodes()) {
    if (!derived[node.outputs[0]]) continue;
    std::vector<Value> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(copyOf(id));
    const std::vector<Value> outputs = result.graph->add(node.op, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) copies[node.outputs[i]] = outputs[i];
  }
  for (const auto& [name, id] : result.values) result.graph->output(name, copies[id]);
  return result;
}

std::unique_ptr<Graph> withConstants(const Graph& graph, std::map<ValueId, Tensor> values) {
  return prune(*Rewriter(graph).run([&](Rewriter& to, const Node& node) -> Replacement {
    const auto isGiven = [&](ValueId id) { return values.contains(id); };
    if (std::ranges::none_of(node.outputs, isGiven)) return std::nullopt;
    // Of a node with several outputs, others may be read by what is derived as well.
    std::vector<Value> inputs, outputs;
    for (const ValueId id : node.inputs) inputs.push_back(to(id));
    outputs = to.target().add(node.op, inputs);
    for (size_t i = 0; i < outputs.size(); ++i)
      if (isGiven(node.outputs[i])) outputs[i] = to.target().constant(std::move(values.at(node.outputs[i])));
    return outputs;
  }));
}

}  // namespace jcs::compiler
