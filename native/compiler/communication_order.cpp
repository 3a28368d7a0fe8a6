#include "compiler/communication_order.h"

#include <algorithm>

#include "compiler/rewrite.h"
#include "ops/communication.h"
#include "ops/layout.h"

namespace jcs::compiler {

namespace {

/// What only gathers values for a sum moves along with it.
bool gathers(const Op& op) { return is<Concat>(op) || is<Reshape>(op); }

/// The nodes that begin sums, and those that gather values for these alone.
PerNode<bool> findEarly(const Graph& graph) {
  PerNode<bool> isEarly(graph.nodes().size());
  PerValue<bool> isReadLate(graph.values().size());
  for (const auto& [name, id] : graph.outputs()) isReadLate[id] = true;
  for (const auto& [state, id] : graph.assignments()) isReadLate[id] = true;
  for (int i = static_cast<int>(graph.nodes().size()) - 1; i >= 0; --i) {
    const NodeId n{i};
    const Node& node = graph.nodes()[n];
    isEarly[n] = is<AllReduceStart>(*node.op) ||
                 (gathers(*node.op) && std::ranges::none_of(node.outputs, [&](ValueId id) { return isReadLate[id]; }));
    if (!isEarly[n])
      for (const ValueId id : node.inputs) isReadLate[id] = true;
  }
  return isEarly;
}

}  // namespace

std::unique_ptr<Graph> communicateEarly(std::unique_ptr<Graph> graph) {
  const auto begins = [](const Node& node) { return is<AllReduceStart>(*node.op); };
  if (std::ranges::none_of(graph->nodes(), begins)) return graph;
  const PerNode<bool> isEarly = findEarly(*graph);
  // Early nodes go behind the last node that they need; all others stay where they are.
  PerNode<int> places(graph->nodes().size());
  std::vector<NodeId> order;
  for (const NodeId n : graph->nodes().ids()) {
    order.push_back(n);
    places[n] = isEarly[n] ? -1 : static_cast<int>(n);
    if (!isEarly[n]) continue;
    for (const ValueId id : graph->nodes()[n].inputs)
      if (const NodeId producer = graph->values()[id].producer; producer != kNoNode)
        places[n] = std::max(places[n], places[producer]);
  }
  std::ranges::stable_sort(order, {}, [&](NodeId n) { return std::pair(places[n], isEarly[n]); });
  return reordered(*graph, order);
}

}  // namespace jcs::compiler
