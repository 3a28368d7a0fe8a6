#pragma once

#include "compiler/storage.h"
#include "graph/graph.h"

namespace jcs::compiler {

/// The order in which a program works: what is derived, the arrival of the inputs, the steps of the run, its results.
class Timeline {
 public:
  Timeline(const Graph& graph, const PerValue<bool>& derived);

  static constexpr int kInputs = -1;
  int results() const { return results_; }
  int operator[](NodeId node) const { return times_[node]; }

 private:
  PerNode<int> times_;
  int results_;
};

/// When the memory of each root is in use. Kernels may overwrite an operand that nothing reads afterwards, and updates
/// the state that they are assigned to: such results get the operand's memory, in `storage`, and are roots no more.
PerValue<Lifetime> planLifetimes(const Graph& graph, const PerValue<bool>& derived, const Timeline& timeline,
                                 StoragePlan& storage);

}  // namespace jcs::compiler
