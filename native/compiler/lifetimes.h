#pragma once

#include "compiler/storage.h"
#include "graph/graph.h"

namespace jcs::compiler {

/// The order in which a program works: what is derived, the arrival of the inputs, the steps of the run, its results.
/// Nodes of a group, which is named by its first, work at the same time.
class Timeline {
 public:
  Timeline(const Graph& graph, const PerValue<bool>& derived, PerNode<NodeId> groups);

  static constexpr int kInputs = -1;
  int results() const { return results_; }
  int operator[](NodeId node) const { return times_[groups_[node]]; }
  NodeId groupOf(NodeId node) const { return groups_[node]; }
  /// The nodes that work when `node` does, first to last.
  std::vector<NodeId> groupMembers(NodeId node) const;

 private:
  PerNode<NodeId> groups_;
  PerNode<int> times_;
  int results_;
};

/// When the memory of each root is in use. Kernels may overwrite an operand that nothing reads afterwards, and updates
/// the state that they are assigned to: such results get the operand's memory, in `storage`, and are roots no more.
PerValue<Lifetime> planLifetimes(const Graph& graph, const PerValue<bool>& derived, const Timeline& timeline,
                                 StoragePlan& storage);

}  // namespace jcs::compiler
