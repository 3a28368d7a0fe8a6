#include "compiler/rewrite.h"

#include <algorithm>
#include <set>

namespace jcs {

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

}  // namespace

std::vector<int> countUses(const Graph& graph) {
  std::vector<int> uses(graph.values().size(), 0);
  const auto use = [&](int id) { ++uses[static_cast<size_t>(id)]; };
  for (const Node& node : graph.nodes()) std::ranges::for_each(node.inputs, use);
  for (const auto& [name, id] : graph.outputs()) use(id);
  for (const auto& [state, value] : graph.assignments()) use(value);
  return uses;
}

Rewriter::Rewriter(const Graph& from) : from_(from), map_(from.values().size()), uses_(countUses(from)) {
  for (size_t id = 0; id < from.values().size(); ++id) map_[id] = copyLeaf(*to_, from.values()[id]);
}

const Node* Rewriter::producer(int sourceId) const {
  const int node = from_.values()[static_cast<size_t>(sourceId)].producer;
  return node < 0 ? nullptr : &from_.nodes()[static_cast<size_t>(node)];
}

std::unique_ptr<Graph> Rewriter::run(const Rule& rule, const std::function<Value(Value)>& finish) {
  for (const Node& node : from_.nodes()) {
    to_->scope = node.scope;
    std::optional<std::vector<Value>> results = rule(*this, node);
    if (!results) {
      std::vector<Value> inputs;
      for (int id : node.inputs) inputs.push_back((*this)(id));
      results = to_->add(node.op, inputs);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) map_[static_cast<size_t>(node.outputs[i])] = (*results)[i];
  }
  to_->scope.clear();
  const auto result = [&](int id) { return finish ? finish((*this)(id)) : (*this)(id); };
  for (const auto& [name, id] : from_.outputs()) to_->output(name, result(id));
  for (const auto& [state, value] : from_.assignments()) to_->assign((*this)(state), result(value));
  return std::move(to_);
}

std::unique_ptr<Graph> prune(const Graph& graph, const std::vector<std::string>* outputs, bool assignments) {
  std::vector<char> needed(graph.values().size(), 0);
  const auto need = [&](int id) { needed[static_cast<size_t>(id)] = 1; };
  const auto wanted = [&](const std::string& name) {
    return outputs == nullptr || std::ranges::find(*outputs, name) != outputs->end();
  };
  for (const auto& [name, id] : graph.outputs())
    if (wanted(name)) need(id);
  static const std::vector<std::pair<int, int>> kNone;
  const auto& kept = assignments ? graph.assignments() : kNone;
  for (const auto& [state, value] : kept) need(state), need(value);
  const auto isNeeded = [&](int id) { return needed[static_cast<size_t>(id)] != 0; };
  for (size_t i = graph.nodes().size(); i-- > 0;)
    if (std::ranges::any_of(graph.nodes()[i].outputs, isNeeded)) std::ranges::for_each(graph.nodes()[i].inputs, need);

  auto result = std::make_unique<Graph>();
  std::vector<Value> map(graph.values().size());
  for (size_t id = 0; id < map.size(); ++id)
    if (needed[id] || graph.values()[id].kind == ValueInfo::Kind::kInput)
      map[id] = copyLeaf(*result, graph.values()[id]);
  for (const Node& node : graph.nodes()) {
    if (std::ranges::none_of(node.outputs, isNeeded)) continue;
    result->scope = node.scope;
    std::vector<Value> inputs;
    for (int id : node.inputs) inputs.push_back(map[static_cast<size_t>(id)]);
    const std::vector<Value> copies = result->add(node.op, inputs);
    for (size_t i = 0; i < copies.size(); ++i) map[static_cast<size_t>(node.outputs[i])] = copies[i];
  }
  for (const auto& [name, id] : graph.outputs())
    if (wanted(name)) result->output(name, map[static_cast<size_t>(id)]);
  for (const auto& [state, value] : kept)
    result->assign(map[static_cast<size_t>(state)], map[static_cast<size_t>(value)]);
  return result;
}

std::vector<char> findDerived(const Graph& graph) {
  std::set<int> assigned;
  for (const auto& [state, value] : graph.assignments()) assigned.insert(state);
  std::vector<char> derived(graph.values().size(), 0);
  for (size_t id = 0; id < derived.size(); ++id) {
    const ValueInfo::Kind kind = graph.values()[id].kind;
    derived[id] = kind == ValueInfo::Kind::kConstant ||
                  (kind == ValueInfo::Kind::kState && !assigned.contains(static_cast<int>(id)));
  }
  for (const Node& node : graph.nodes())
    if (std::ranges::all_of(node.inputs, [&](int id) { return derived[static_cast<size_t>(id)]; }))
      for (int id : node.outputs) derived[static_cast<size_t>(id)] = 1;
  return derived;
}

}  // namespace jcs
