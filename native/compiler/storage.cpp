#include "compiler/storage.h"

#include <algorithm>
#include <numeric>

#include "compiler/rewrite.h"
#include "ops/layout.h"

namespace jcs {

namespace {

constexpr int64_t kAlignment = 64;

/// A slice that keeps all axes but the last whole.
bool isChannelSlice(const Slice& slice, const Shape& source) {
  for (int axis = 0; axis + 1 < source.rank(); ++axis)
    if (slice.extent[axis] != source[axis]) return false;
  return source.rank() > 0;
}

class Planner {
 public:
  Planner(const Graph& graph, const Backend& backend) : graph_(graph), backend_(backend) {
    const size_t count = graph.values().size();
    plan_.placements.resize(count);
    plan_.isView.assign(graph.nodes().size(), 0);
    plan_.inPlace.resize(graph.nodes().size());
    readers_.resize(count);
    pinned_.assign(count, 0);
    for (size_t id = 0; id < count; ++id)
      plan_.placements[id] = {static_cast<int>(id), 0, graph.values()[id].type.shape.channels()};
    for (size_t n = 0; n < graph.nodes().size(); ++n)
      for (size_t i = 0; i < graph.nodes()[n].inputs.size(); ++i)
        readers_[at(graph.nodes()[n].inputs[i])].emplace_back(static_cast<int>(n), static_cast<int>(i));
    // What leaves the program is dense memory of its own, and what is computed once never lies in the arena.
    for (const auto& [name, id] : graph.outputs()) pinned_[at(id)] = 1;
    for (const auto& [state, id] : graph.assignments()) pinned_[at(id)] = 1;
    derived_ = findDerived(graph);
  }

  StoragePlan run() {
    for (size_t n = 0; n < graph_.nodes().size(); ++n) {
      const Op& op = *graph_.nodes()[n].op;
      if (is<Slice>(op)) placeSlice(n);
      if (is<Reshape>(op)) placeReshape(n);
    }
    for (size_t n = 0; n < graph_.nodes().size(); ++n)
      if (is<Concat>(*graph_.nodes()[n].op)) placeConcat(n);
    for (Placement& placement : plan_.placements) placement = resolve(placement);
    countCopies();
    return std::move(plan_);
  }

 private:
  static size_t at(int id) { return static_cast<size_t>(id); }
  const ValueInfo& info(int id) const { return graph_.values()[at(id)]; }

  bool takesRowStride(int node, int input) const {
    if (plan_.isView[at(node)]) return is<Slice>(*graph_.nodes()[at(node)].op);
    return backend_.acceptsRowStride(*graph_.nodes()[at(node)].op, false, input);
  }
  bool readersTakeRowStride(int value, int except = -1) const {
    return std::ranges::all_of(readers_[at(value)], [&](const auto& reader) {
      return reader.first == except || takesRowStride(reader.first, reader.second);
    });
  }

  void placeSlice(size_t n) {
    const Node& node = graph_.nodes()[n];
    const auto& op = static_cast<const Slice&>(*node.op);
    const int source = node.inputs[0], result = node.outputs[0];
    if (!isChannelSlice(op, info(source).type.shape) || pinned_[at(result)] || derived_[at(source)]) return;
    if (!readersTakeRowStride(result)) return;
    plan_.isView[n] = 1;
    plan_.placements[at(result)] = {source, op.begin[op.begin.rank() - 1], -1};
  }

  void placeReshape(size_t n) {
    const Node& node = graph_.nodes()[n];
    const int source = node.inputs[0], result = node.outputs[0];
    if (pinned_[at(result)] || resolve(plan_.placements[at(source)]).rowStride != info(source).type.shape.channels())
      return;
    plan_.isView[n] = 1;
    // Dense whatever its root is: the root is dense over this value's elements.
    plan_.placements[at(result)] = {source, 0, info(result).type.shape.channels()};
    pinned_[at(source)] = 1;  // it has to stay dense, hence so does the memory that it is a view of
    pinned_[at(resolve(plan_.placements[at(source)]).root)] = 1;
  }

  void placeConcat(size_t n) {
    const Node& node = graph_.nodes()[n];
    const int result = node.outputs[0];
    plan_.inPlace[n].assign(node.inputs.size(), 0);
    int64_t offset = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int source = node.inputs[i];
      if (canWriteInto(source, static_cast<int>(n))) {
        plan_.placements[at(source)] = {result, offset, -1};
        plan_.inPlace[n][i] = 1;
        pinned_[at(source)] = 1;  // it has its place
      }
      offset += info(source).type.shape.channels();
    }
  }

  bool canWriteInto(int source, int concat) const {
    const ValueInfo& value = info(source);
    if (value.kind != ValueInfo::Kind::kComputed || pinned_[at(source)] || derived_[at(source)]) return false;
    if (plan_.placements[at(source)].root != source || plan_.isView[at(value.producer)]) return false;
    const Node& producer = graph_.nodes()[at(value.producer)];
    const auto output = std::ranges::find(producer.outputs, source) - producer.outputs.begin();
    if (!is<Concat>(*producer.op) && !backend_.acceptsRowStride(*producer.op, true, static_cast<int>(output)))
      return false;
    const auto timesHere =
        std::ranges::count_if(readers_[at(source)], [&](const auto& r) { return r.first == concat; });
    return timesHere == 1 && readersTakeRowStride(source, concat);
  }

  Placement resolve(Placement placement) const {
    // Every step towards the root adds its offset; the row stride is the outermost root's, unless a reshape fixed it.
    while (plan_.placements[at(placement.root)].root != placement.root) {
      const Placement& up = plan_.placements[at(placement.root)];
      placement.offset += up.offset;
      if (placement.rowStride < 0) placement.rowStride = up.rowStride;
      placement.root = up.root;
    }
    if (placement.rowStride < 0) placement.rowStride = info(placement.root).type.shape.channels();
    return placement;
  }

  void countCopies() {
    for (size_t n = 0; n < graph_.nodes().size(); ++n) {
      const Node& node = graph_.nodes()[n];
      if ((is<Slice>(*node.op) || is<Reshape>(*node.op)) && !plan_.isView[n] && !derived_[at(node.outputs[0])])
        plan_.copiedBytes += info(node.outputs[0]).type.bytes();
      for (size_t i = 0; i < plan_.inPlace[n].size(); ++i)
        if (!plan_.inPlace[n][i]) plan_.copiedBytes += info(node.inputs[i]).type.bytes();
    }
  }

  const Graph& graph_;
  const Backend& backend_;
  StoragePlan plan_;
  std::vector<std::vector<std::pair<int, int>>> readers_;  // (node, input)
  std::vector<char> pinned_, derived_;
};

}  // namespace

StoragePlan planStorage(const Graph& graph, const Backend& backend) { return Planner(graph, backend).run(); }

ArenaPlan planArena(const std::vector<BufferLifetime>& buffers) {
  // Largest first, each at the lowest offset that is free over its lifetime.
  ArenaPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });

  std::vector<size_t> placed;  // sorted by offset
  for (size_t index : order) {
    const BufferLifetime& buffer = buffers[index];
    const int64_t bytes = (buffer.bytes + kAlignment - 1) / kAlignment * kAlignment;
    int64_t offset = 0;
    for (size_t other : placed) {
      const BufferLifetime& o = buffers[other];
      if (o.last < buffer.first || buffer.last < o.first) continue;
      if (plan.offsets[other] >= offset + bytes) break;
      offset = std::max(offset, plan.offsets[other] + (o.bytes + kAlignment - 1) / kAlignment * kAlignment);
    }
    plan.offsets[index] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](size_t i) { return plan.offsets[i]; }), index);
  }
  return plan;
}

}  // namespace jcs
