#include "compiler/lifetimes.h"

#include <algorithm>

namespace jcs::compiler {

Timeline::Timeline(const Graph& graph, const PerValue<bool>& derived, PerNode<NodeId> groups)
    : groups_(std::move(groups)), times_(graph.nodes().size()), results_(static_cast<int>(graph.nodes().size())) {
  for (const NodeId n : times_.ids()) {
    const int place = static_cast<int>(n);
    times_[n] = derived[graph.nodes()[n].outputs[0]] ? kInputs - results_ + place : place;
  }
}

std::vector<NodeId> Timeline::groupMembers(NodeId node) const {
  std::vector<NodeId> members;
  for (auto i = static_cast<size_t>(groups_[node]); i < groups_.size(); ++i) {
    const NodeId n{static_cast<int>(i)};
    if (groups_[n] != groups_[node]) break;
    members.push_back(n);
  }
  return members;
}

namespace {

class LifetimePlanner {
 public:
  LifetimePlanner(const Graph& graph, const PerValue<bool>& derived, const Timeline& timeline, StoragePlan& storage)
      : graph_(graph), derived_(derived), timeline_(timeline), storage_(storage), lifetimes_(graph.values().size()) {
    for (const ValueId id : graph.values().ids()) owner_.add(id);
  }

  PerValue<Lifetime> plan() {
    findUses();
    reuseMemory();
    for (Placement& placement : storage_.placements) placement.root = ownerOf(placement.root);
    return std::move(lifetimes_);
  }

 private:
  const ValueInfo& info(ValueId id) const { return graph_.values()[id]; }
  ValueId ownerOf(ValueId root) const {
    while (owner_[root] != root) root = owner_[root];
    return root;
  }
  ValueId rootOf(ValueId id) const { return ownerOf(storage_.placements[id].root); }

  void findUses() {
    const auto use = [&](ValueId id, int time) {
      Lifetime& lifetime = lifetimes_[storage_.placements[id].root];
      lifetime = {std::min(lifetime.first, time), std::max(lifetime.last, time)};
    };
    for (const ValueId id : graph_.values().ids())
      if (info(id).kind == ValueInfo::Kind::kInput) use(id, Timeline::kInputs);
    for (const NodeId n : graph_.nodes().ids()) {
      const Node& node = graph_.nodes()[n];
      const bool isDerived = derived_[node.outputs[0]];
      // What is derived and read by a step has memory that is kept, or has been packed when the inputs arrive.
      for (const ValueId id : node.inputs)
        if (isDerived || regionOf(graph_, derived_, storage_.placements[id].root) != Region::kDerived)
          use(id, timeline_[n]);
      for (const ValueId id : node.outputs) use(id, timeline_[n]);
    }
    for (const auto& [name, id] : graph_.outputs()) use(id, timeline_.results());
    for (const auto& [state, value] : graph_.assignments()) use(value, timeline_.results());
  }

  void reuseMemory() {
    for (const NodeId n : graph_.nodes().ids()) {
      const Node& node = graph_.nodes()[n];
      if (derived_[node.outputs[0]] || storage_.isView[n]) continue;
      for (size_t k = 0; k < node.outputs.size(); ++k) {
        const int input = node.op->inPlaceInput(static_cast<int>(k));
        if (input >= 0) reuse(n, node.inputs[static_cast<size_t>(input)], node.outputs[k]);
      }
    }
  }

  void reuse(NodeId n, ValueId source, ValueId result) {
    const ValueId root = rootOf(source);
    const bool ownsMemory = storage_.placements[result].root == result;
    if (!ownsMemory || !coversRoot(source, root) || info(root).type.bytes() != info(result).type.bytes()) return;
    int64_t reads = 0;
    for (const NodeId other : timeline_.groupMembers(n))
      reads += std::ranges::count_if(graph_.nodes()[other].inputs, [&](ValueId id) { return rootOf(id) == root; });
    const bool isSoleReader = reads == 1;
    Lifetime& lifetime = lifetimes_[root];
    if (!isSoleReader || lifetime.last > timeline_[n]) return;
    const Region region = regionOf(graph_, derived_, root);
    const bool isUpdate = region == Region::kState && isAssigned(root, result);
    if (!isUpdate && !(region == Region::kArena && lifetime.first < timeline_[n])) return;
    owner_[result] = root;
    lifetime.last = std::max(lifetime.last, lifetimes_[result].last);
  }
  /// Whether `id` is all of the memory it lies in, densely.
  bool coversRoot(ValueId id, ValueId root) const {
    const Placement& p = storage_.placements[id];
    return p.offset == 0 && p.rowStride == info(id).type.shape.channels() &&
           info(id).type.bytes() == info(root).type.bytes();
  }
  bool isAssigned(ValueId state, ValueId value) const {
    return std::ranges::find(graph_.assignments(), Graph::Assignment{state, value}) != graph_.assignments().end();
  }

  const Graph& graph_;
  const PerValue<bool>& derived_;
  const Timeline& timeline_;
  StoragePlan& storage_;
  PerValue<Lifetime> lifetimes_;
  PerValue<ValueId> owner_;  ///< by root: itself, or whose memory it overwrites
};

}  // namespace

PerValue<Lifetime> planLifetimes(const Graph& graph, const PerValue<bool>& derived, const Timeline& timeline,
                                 StoragePlan& storage) {
  return LifetimePlanner(graph, derived, timeline, storage).plan();
}

}  // namespace jcs::compiler
