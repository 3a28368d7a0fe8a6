#pragma once

#include <functional>
#include <memory>
#include <span>
#include <unordered_map>

#include "graph/graph.h"

namespace jcs::compiler {

/// How many nodes, outputs and assignments read each value.
PerValue<int> countUses(const Graph& graph);

/// Copies a graph node by node; a pass says what replaces the nodes that it knows.
class Rewriter {
 public:
  explicit Rewriter(const Graph& from);

  /// What a node becomes: values that stand for its outputs, or nothing to copy it with its inputs replaced.
  using Rule = std::function<std::optional<std::vector<Value>>(Rewriter&, const Node&)>;
  /// `finish`, if given, is applied to every output and assigned value.
  std::unique_ptr<Graph> run(const Rule& rule, const std::function<Value(Value)>& finish = nullptr);

  const Graph& source() const { return from_; }
  Graph& target() { return *to_; }
  /// The replacement of a value of the source graph.
  Value operator()(ValueId id) const { return map_[id]; }
  int uses(ValueId id) const { return uses_[id]; }
  /// The node that computes a source value, or null for inputs, states and constants.
  const Node* producer(ValueId id) const;

 private:
  const Graph& from_;
  std::unique_ptr<Graph> to_ = std::make_unique<Graph>();
  PerValue<Value> map_;
  PerValue<int> uses_;
};

/// A copy with the nodes in that order, in which what is read was computed before.
std::unique_ptr<Graph> reordered(const Graph& graph, std::span<const NodeId> order);

/// A copy without the nodes that no output and no assignment depends on. With `outputs`, only those are kept; without
/// `assignments`, none is.
std::unique_ptr<Graph> prune(const Graph& graph, const std::vector<std::string>* outputs = nullptr,
                             bool assignments = true);

}  // namespace jcs::compiler
