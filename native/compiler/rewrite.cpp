#include "compiler/rewrite.h"

#include <algorithm>

namespace jcs::compiler {

namespace {

Value copyLeaf(Graph& to, const ValueInfo& info) {
  switch (info.kind) {
    case ValueInfo::Kind::kInput: return to.input(info.name, info.type);
    case ValueInfo::Kind::kState: return to.state(info.name, info.type, info.state);
    case ValueInfo::Kind::kConstant: return to.constant(info.constant->clone());
    case ValueInfo::Kind::kComputed: break;
  }
  return {};
}

/// `map` says where the node's inputs are, and then where its outputs are.
void copyNode(Graph& to, const Node& node, PerValue<Value>& map) {
  const NodeLabel label(to, node.scope);
  std::vector<Value> inputs;
  for (const ValueId id : node.inputs) inputs.push_back(map[id]);
  const std::vector<Value> copies = to.add(node.op, inputs);
  for (size_t i = 0; i < copies.size(); ++i) map[node.outputs[i]] = copies[i];
}

}  // namespace

PerValue<int> countUses(const Graph& graph) {
  PerValue<int> uses(graph.values().size());
  const auto use = [&](ValueId id) { ++uses[id]; };
  for (const Node& node : graph.nodes()) std::ranges::for_each(node.inputs, use);
  for (const auto& [name, id] : graph.outputs()) use(id);
  for (const auto& [state, value] : graph.assignments()) use(value);
  return uses;
}

Rewriter::Rewriter(const Graph& from) : from_(from), map_(from.values().size()), uses_(countUses(from)) {
  for (const ValueId id : from.values().ids()) map_[id] = copyLeaf(*to_, from.values()[id]);
}

const Node* Rewriter::producer(ValueId id) const {
  const NodeId node = from_.values()[id].producer;
  return node == kNoNode ? nullptr : &from_.nodes()[node];
}

std::unique_ptr<Graph> Rewriter::run(const Rule& rule, const std::function<Value(Value)>& finish) {
  for (const Node& node : from_.nodes()) {
    const NodeLabel label(*to_, node.scope);
    std::optional<std::vector<Value>> results = rule(*this, node);
    if (!results) {
      std::vector<Value> inputs;
      for (const ValueId id : node.inputs) inputs.push_back((*this)(id));
      results = to_->add(node.op, inputs);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) map_[node.outputs[i]] = (*results)[i];
  }
  const auto result = [&](ValueId id) { return finish ? finish((*this)(id)) : (*this)(id); };
  for (const auto& [name, id] : from_.outputs()) to_->output(name, result(id));
  for (const auto& [state, value] : from_.assignments()) to_->assign((*this)(state), result(value));
  return std::move(to_);
}

std::unique_ptr<Graph> reordered(const Graph& graph, std::span<const NodeId> order) {
  auto result = std::make_unique<Graph>();
  PerValue<Value> map(graph.values().size());
  for (const ValueId id : map.ids()) map[id] = copyLeaf(*result, graph.values()[id]);
  for (const NodeId n : order) copyNode(*result, graph.nodes()[n], map);
  for (const auto& [name, id] : graph.outputs()) result->output(name, map[id]);
  for (const auto& [state, value] : graph.assignments()) result->assign(map[state], map[value]);
  return result;
}

std::unique_ptr<Graph> prune(const Graph& graph, const std::vector<std::string>* outputs, bool assignments) {
  PerValue<bool> needed(graph.values().size());
  const auto need = [&](ValueId id) { needed[id] = true; };
  const auto wanted = [&](const std::string& name) {
    return outputs == nullptr || std::ranges::find(*outputs, name) != outputs->end();
  };
  for (const auto& [name, id] : graph.outputs())
    if (wanted(name)) need(id);
  static const std::vector<Graph::Assignment> kNone;
  const auto& kept = assignments ? graph.assignments() : kNone;
  for (const auto& [state, value] : kept) need(state), need(value);
  const auto isNeeded = [&](ValueId id) { return needed[id]; };
  for (const Node& node : graph.nodes() | std::views::reverse)
    if (std::ranges::any_of(node.outputs, isNeeded)) std::ranges::for_each(node.inputs, need);

  auto result = std::make_unique<Graph>();
  PerValue<Value> map(graph.values().size());
  for (const ValueId id : map.ids())
    if (needed[id] || graph.values()[id].kind == ValueInfo::Kind::kInput)
      map[id] = copyLeaf(*result, graph.values()[id]);
  for (const Node& node : graph.nodes()) {
    if (std::ranges::none_of(node.outputs, isNeeded)) continue;
    copyNode(*result, node, map);
  }
  for (const auto& [name, id] : graph.outputs())
    if (wanted(name)) result->output(name, map[id]);
  for (const auto& [state, value] : kept) result->assign(map[state], map[value]);
  return result;
}

}  // namespace jcs::compiler
