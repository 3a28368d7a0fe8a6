#include "compiler/derivation.h"

#include <algorithm>

#include "ops/communication.h"

namespace jcs::compiler {

PerValue<bool> findDerived(const Graph& graph) {
  PerValue<bool> derived(graph.values().size());
  for (const ValueId id : derived.ids()) {
    const ValueInfo::Kind kind = graph.values()[id].kind;
    derived[id] = kind == ValueInfo::Kind::kConstant || kind == ValueInfo::Kind::kState;
  }
  for (const auto& [state, value] : graph.assignments()) derived[state] = false;
  // What other ranks have is not derived from what this one has.
  for (const Node& node : graph.nodes())
    if (!is<AllReduceStart>(*node.op) && std::ranges::all_of(node.inputs, [&](ValueId id) { return derived[id]; }))
      for (const ValueId id : node.outputs) derived[id] = true;
  return derived;
}

const Derivation& Derivations::of(ValueId id) {
  if (!known_[id]) known_[id] = derive(id);
  return *known_[id];
}

Derivation Derivations::derive(ValueId id) {
  const ValueInfo& info = graph_.values()[id];
  if (info.kind == ValueInfo::Kind::kState) return {info.name, {id}};
  if (info.kind != ValueInfo::Kind::kComputed) return {};
  const Node& node = graph_.nodes()[info.producer];
  const auto output = std::ranges::find(node.outputs, id) - node.outputs.begin();
  Derivation result;
  result.text = std::string(node.op->name()) + "{" + node.op->attributes() + "}." + std::to_string(output) + "(";
  bool takesConstants = false;
  for (const ValueId input : node.inputs) {
    const Derivation& from = of(input);
    takesConstants |= from.text.empty();
    result.text += from.text + ",";
    result.states.insert(from.states.begin(), from.states.end());
  }
  result.text += ")";
  if (takesConstants) result.text.clear();
  return result;
}

}  // namespace jcs::compiler
