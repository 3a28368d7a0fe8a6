#include "compiler/storage.h"

#include <algorithm>
#include <numeric>

#include "core/alignment.h"
#include "ops/layout.h"

namespace jcs::compiler {

namespace {

/// A slice that keeps all axes but the last whole.
bool isChannelSlice(const Slice& slice, const Shape& source) {
  for (int axis = 0; axis + 1 < source.rank(); ++axis)
    if (slice.extent[axis] != source[axis]) return false;
  return source.rank() > 0;
}

class Planner {
 public:
  Planner(const Graph& graph, const PerValue<bool>& derived, const Backend& backend)
      : graph_(graph),
        backend_(backend),
        plan_{PerValue<Placement>(graph.values().size()), PerNode<bool>(graph.nodes().size()),
              PerNode<std::vector<bool>>(graph.nodes().size())},
        readers_(graph.values().size()),
        pinned_(graph.values().size()),
        derived_(derived) {
    for (const ValueId id : graph.values().ids()) plan_.placements[id] = {id, 0, info(id).type.shape.channels()};
    for (const NodeId n : graph.nodes().ids())
      for (size_t i = 0; i < graph.nodes()[n].inputs.size(); ++i)
        readers_[graph.nodes()[n].inputs[i]].push_back({n, static_cast<int>(i)});
    // What leaves the program is dense memory of its own, and what is computed once never lies in the arena.
    for (const auto& [name, id] : graph.outputs()) pinned_[id] = true;
    for (const auto& [state, id] : graph.assignments()) pinned_[id] = true;
  }

  StoragePlan run() {
    for (const NodeId n : graph_.nodes().ids()) {
      const Op& op = *graph_.nodes()[n].op;
      if (is<Slice>(op)) placeSlice(n);
      if (is<Reshape>(op)) placeReshape(n);
    }
    for (const NodeId n : graph_.nodes().ids())
      if (is<Concat>(*graph_.nodes()[n].op)) placeConcat(n);
    for (Placement& placement : plan_.placements) placement = resolve(placement);
    countCopies();
    return std::move(plan_);
  }

 private:
  struct Reader {
    NodeId node;
    int input;
  };

  const ValueInfo& info(ValueId id) const { return graph_.values()[id]; }

  bool takesRowStride(const Reader& reader) const {
    const Op& op = *graph_.nodes()[reader.node].op;
    return plan_.isView[reader.node] ? is<Slice>(op) : backend_.acceptsRowStride(op, false, reader.input);
  }
  bool readersTakeRowStride(ValueId value, NodeId except = kNoNode) const {
    return std::ranges::all_of(readers_[value], [&](const Reader& r) { return r.node == except || takesRowStride(r); });
  }

  void placeSlice(NodeId n) {
    const Node& node = graph_.nodes()[n];
    const auto& op = static_cast<const Slice&>(*node.op);
    const ValueId source = node.inputs[0], result = node.outputs[0];
    if (!isChannelSlice(op, info(source).type.shape) || pinned_[result] || derived_[source]) return;
    const bool isOneRow = info(result).type.shape.rows() == 1;  // there is no stride between rows
    if (!isOneRow && !readersTakeRowStride(result)) return;
    plan_.isView[n] = true;
    plan_.placements[result] = {source, op.begin[op.begin.rank() - 1],
                                isOneRow ? info(result).type.shape.channels() : -1};
  }

  void placeReshape(NodeId n) {
    const Node& node = graph_.nodes()[n];
    const ValueId source = node.inputs[0], result = node.outputs[0];
    if (pinned_[result] || resolve(plan_.placements[source]).rowStride != info(source).type.shape.channels()) return;
    plan_.isView[n] = true;
    // Dense whatever its root is: the root is dense over this value's elements.
    plan_.placements[result] = {source, 0, info(result).type.shape.channels()};
    pinned_[source] = true;  // it has to stay dense, hence so does the memory that it is a view of
    pinned_[resolve(plan_.placements[source]).root] = true;
  }

  void placeConcat(NodeId n) {
    const Node& node = graph_.nodes()[n];
    const ValueId result = node.outputs[0];
    plan_.isInPlace[n].assign(node.inputs.size(), false);
    int64_t offset = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId source = node.inputs[i];
      if (canWriteInto(source, n)) {
        plan_.placements[source] = {result, offset, -1};
        plan_.isInPlace[n][i] = true;
        pinned_[source] = true;  // it has its place
      }
      offset += info(source).type.shape.channels();
    }
  }

  bool canWriteInto(ValueId source, NodeId concat) const {
    const ValueInfo& value = info(source);
    if (value.kind != ValueInfo::Kind::kComputed || pinned_[source] || derived_[source]) return false;
    if (plan_.placements[source].root != source || plan_.isView[value.producer]) return false;
    const Node& producer = graph_.nodes()[value.producer];
    const auto output = std::ranges::find(producer.outputs, source) - producer.outputs.begin();
    if (!is<Concat>(*producer.op) && !backend_.acceptsRowStride(*producer.op, true, static_cast<int>(output)))
      return false;
    const auto timesHere = std::ranges::count(readers_[source], concat, &Reader::node);
    return timesHere == 1 && readersTakeRowStride(source, concat);
  }

  Placement resolve(Placement placement) const {
    // Every step towards the root adds its offset; the row stride is the outermost root's, unless a reshape fixed it.
    while (plan_.placements[placement.root].root != placement.root) {
      const Placement& up = plan_.placements[placement.root];
      placement.offset += up.offset;
      if (placement.rowStride < 0) placement.rowStride = up.rowStride;
      placement.root = up.root;
    }
    if (placement.rowStride < 0) placement.rowStride = info(placement.root).type.shape.channels();
    return placement;
  }

  void countCopies() {
    for (const NodeId n : graph_.nodes().ids()) {
      const Node& node = graph_.nodes()[n];
      if ((is<Slice>(*node.op) || is<Reshape>(*node.op)) && !plan_.isView[n] && !derived_[node.outputs[0]])
        plan_.copiedBytes += info(node.outputs[0]).type.bytes();
      for (size_t i = 0; i < plan_.isInPlace[n].size(); ++i)
        if (!plan_.isInPlace[n][i]) plan_.copiedBytes += info(node.inputs[i]).type.bytes();
    }
  }

  const Graph& graph_;
  const Backend& backend_;
  StoragePlan plan_;
  PerValue<std::vector<Reader>> readers_;
  PerValue<bool> pinned_;
  const PerValue<bool>& derived_;
};

}  // namespace

StoragePlan planStorage(const Graph& graph, const PerValue<bool>& derived, const Backend& backend) {
  return Planner(graph, derived, backend).run();
}

Region regionOf(const Graph& graph, const PerValue<bool>& derived, ValueId root) {
  switch (graph.values()[root].kind) {
    case ValueInfo::Kind::kState: return Region::kState;
    case ValueInfo::Kind::kConstant: return Region::kConstants;
    case ValueInfo::Kind::kInput: return Region::kArena;
    case ValueInfo::Kind::kComputed: break;
  }
  return derived[root] ? Region::kDerived : Region::kArena;
}

ArenaPlan planArena(const std::vector<ArenaBuffer>& buffers) {
  // Largest first, each at the lowest offset that is free over its lifetime.
  ArenaPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });

  std::vector<size_t> placed;  // sorted by offset
  for (size_t index : order) {
    const auto& [size, lifetime] = buffers[index];
    const int64_t bytes = alignedUp(size);
    int64_t offset = 0;
    for (size_t other : placed) {
      const ArenaBuffer& o = buffers[other];
      if (o.lifetime.last < lifetime.first || lifetime.last < o.lifetime.first) continue;
      if (plan.offsets[other] >= offset + bytes) break;
      offset = std::max(offset, plan.offsets[other] + alignedUp(o.bytes));
    }
    plan.offsets[index] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](size_t i) { return plan.offsets[i]; }), index);
  }
  return plan;
}

}  // namespace jcs::compiler
