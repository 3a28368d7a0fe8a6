#include "compiler/update_groups.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "compiler/derivation.h"
#include "compiler/rewrite.h"
#include "core/alignment.h"

namespace jcs::compiler {

namespace {

/// A larger result is worth a kernel of its own, right after its gradient, whose memory is then free.
constexpr int64_t kSmallBytes = int64_t{1} << 20;

std::vector<Operand> operandsOf(const Graph& graph, const StoragePlan& storage, std::span<const ValueId> ids) {
  std::vector<Operand> operands;
  for (const ValueId id : ids) {
    const TensorType& type = graph.values()[id].type;
    const Placement& placement = storage.placements[id];
    operands.push_back({type, placement.rowStride, std::gcd(kMemoryAlignment, placement.offset * sizeOf(type.dtype))});
  }
  return operands;
}

std::vector<Operand> denseOperands(const Graph& graph, std::span<const ValueId> ids) {
  std::vector<Operand> operands;
  for (const ValueId id : ids) operands.push_back(Operand::dense(graph.values()[id].type));
  return operands;
}

/// The nodes whose results only states take, directly or through other such nodes.
PerNode<bool> findSmallUpdates(const Graph& graph, const Backend& backend) {
  const PerValue<bool> derived = findDerived(graph);
  PerValue<bool> isReadElsewhere(graph.values().size());
  for (const auto& [name, id] : graph.outputs()) isReadElsewhere[id] = true;
  PerNode<bool> isUpdate(graph.nodes().size());
  for (int i = static_cast<int>(graph.nodes().size()) - 1; i >= 0; --i) {
    const NodeId n{i};
    const Node& node = graph.nodes()[n];
    const bool isSmall =
        std::ranges::all_of(node.outputs, [&](ValueId id) { return graph.values()[id].type.bytes() <= kSmallBytes; });
    isUpdate[n] =
        isSmall && !derived[node.outputs[0]] &&
        std::ranges::none_of(node.outputs, [&](ValueId id) { return isReadElsewhere[id]; }) &&
        backend.preparesTogether(*node.op, denseOperands(graph, node.inputs), denseOperands(graph, node.outputs));
    if (!isUpdate[n])
      for (const ValueId id : node.inputs) isReadElsewhere[id] = true;
  }
  return isUpdate;
}

}  // namespace

std::unique_ptr<Graph> gatherUpdates(std::unique_ptr<Graph> graph, const Backend& backend) {
  const PerNode<bool> isUpdate = findSmallUpdates(*graph, backend);
  if (std::ranges::none_of(isUpdate, std::identity())) return graph;

  // Updates of a level depend on those of lower ones alone.
  PerNode<int> levels(graph->nodes().size());
  std::vector<NodeId> order, updates;
  for (const NodeId n : graph->nodes().ids()) {
    (isUpdate[n] ? updates : order).push_back(n);
    for (const ValueId id : graph->nodes()[n].inputs) {
      const NodeId producer = graph->values()[id].producer;
      if (isUpdate[n] && producer != kNoNode && isUpdate[producer])
        levels[n] = std::max(levels[n], levels[producer] + 1);
    }
  }
  const auto place = [&](NodeId n) {
    const Op& op = *graph->nodes()[n].op;
    return std::tuple(levels[n], op.name(), op.attributes(), n);
  };
  std::ranges::sort(updates, {}, place);
  order.insert(order.end(), updates.begin(), updates.end());
  return reordered(*graph, order);
}

PerNode<NodeId> planGroups(const Graph& graph, const PerValue<bool>& derived, const StoragePlan& storage,
                           const Backend& backend) {
  PerNode<NodeId> firsts(graph.nodes().size());
  std::optional<NodeId> open;  // the first of the group that the last node belongs to
  std::set<ValueId> written;   // by that group
  for (const NodeId n : graph.nodes().ids()) {
    const Node& node = graph.nodes()[n];
    const auto rootOf = [&](ValueId id) { return storage.placements[id].root; };
    const bool isGroupable = !derived[node.outputs[0]] && !storage.isView[n] &&
                             backend.preparesTogether(*node.op, operandsOf(graph, storage, node.inputs),
                                                      operandsOf(graph, storage, node.outputs));
    const auto isOfOpenGroup = [&] {
      const Op& first = *graph.nodes()[*open].op;
      return first.name() == node.op->name() && first.attributes() == node.op->attributes() &&
             std::ranges::none_of(node.inputs, [&](ValueId id) { return written.contains(rootOf(id)); });
    };
    if (!(isGroupable && open && isOfOpenGroup())) {
      open = isGroupable ? std::optional(n) : std::nullopt;
      written.clear();
    }
    firsts[n] = open.value_or(n);
    for (const ValueId id : node.outputs) written.insert(rootOf(id));
  }
  return firsts;
}

}  // namespace jcs::compiler
