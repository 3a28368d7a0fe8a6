#include "compiler/channel_padding.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "compiler/derivation.h"
#include "compiler/rewrite.h"
#include "core/alignment.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/pool.h"

namespace jcs::compiler {

namespace {

/// A value's channels as they are and as they will lie: neighbouring parts, each of which grows on its own.
class ChannelMap {
 public:
  ChannelMap() = default;
  /// `cuts` are where parts begin and end, 0 and the number of channels among them.
  ChannelMap(const std::set<int64_t>& cuts, int64_t multiple) {
    for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
      parts_.push_back({*cut, *std::next(cut) - *cut, padded_});
      padded_ += roundUp(parts_.back().channels, multiple);
    }
    channels_ = *cuts.rbegin();
  }

  bool grows() const { return padded_ > channels_; }
  int64_t channels() const { return channels_; }
  int64_t padded() const { return padded_; }
  /// Where a part that begins at `cut` will begin.
  int64_t at(int64_t cut) const {
    for (const Part& part : parts_)
      if (part.begin == cut) return part.paddedBegin;
    invariant(cut == channels_, "channels are cut where no part ends");
    return padded_;
  }

  /// `value` with its `axis` of channels laid out so, and zeros between.
  Value spread(Value value, int axis) const {
    if (!grows()) return value;
    const Shape& shape = value.shape();
    Shape extent = shape, origin = shape;
    for (int i = 0; i < shape.rank(); ++i) origin[i] = 0;
    extent[axis] = padded_;
    Value sum;
    for (const Part& part : parts_) {
      Shape from = origin, to = origin, partShape = shape;
      from[axis] = part.begin;
      to[axis] = part.paddedBegin;
      partShape[axis] = part.channels;
      const Value placed = pad(parts_.size() == 1 ? value : slice(value, from, partShape), to, extent);
      sum = sum ? add(sum, placed) : placed;
    }
    return sum;
  }

 private:
  struct Part {
    int64_t begin, channels, paddedBegin;
  };
  std::vector<Part> parts_;
  int64_t channels_ = 0, padded_ = 0;
};

/// Beyond this, padding what convolutions read costs more than the passes that it saves.
constexpr double kLargestGrowth = 1.5;

class ChannelPadding {
 public:
  ChannelPadding(const Graph& graph, int64_t multiple)
      : graph_(graph),
        multiple_(multiple),
        derived_(findDerived(graph)),
        isFixed_(graph.values().size()),
        isNeeded_(graph.values().size()),
        cuts_(graph.values().size()) {
    for (const ValueId id : graph.values().ids()) {
      component_.add(id);
      const bool isComputed = info(id).kind == ValueInfo::Kind::kComputed && !derived_[id];
      isFixed_[id] = !isComputed || info(id).type.shape.rank() != 4;
      cuts_[id] = {0, info(id).type.shape.rank() > 0 ? info(id).type.shape.channels() : 1};
    }
    for (const auto& [name, id] : graph.outputs()) isFixed_[id] = true;
    for (const auto& [state, id] : graph.assignments()) isFixed_[id] = true;
    for (const Node& node : graph.nodes())
      if (!derived_[node.outputs[0]]) join(node);
    while (propagateCuts()) {
    }
  }

  /// Per value how its channels will lie; one that does not grow stays as it is.
  PerValue<ChannelMap> plan() {
    PerValue<ChannelMap> maps(graph_.values().size());
    PerValue<bool> isRefused(graph_.values().size()), isWanted(graph_.values().size());
    for (const ValueId id : graph_.values().ids()) {
      maps[id] = ChannelMap(cuts_[id], multiple_);
      const ValueId root = componentOf(id);
      const auto limit = kLargestGrowth * static_cast<double>(maps[id].channels());
      isRefused[root] = isRefused[root] || isFixed_[id] || static_cast<double>(maps[id].padded()) > limit;
      isWanted[root] = isWanted[root] || isNeeded_[id];
    }
    for (const ValueId id : graph_.values().ids())
      if (isRefused[componentOf(id)] || !isWanted[componentOf(id)]) maps[id] = ChannelMap({0, maps[id].channels()}, 1);
    return maps;
  }

 private:
  const ValueInfo& info(ValueId id) const { return graph_.values()[id]; }
  ValueId componentOf(ValueId id) const {
    while (component_[id] != id) id = component_[id];
    return id;
  }
  void unite(ValueId a, ValueId b) { component_[componentOf(a)] = componentOf(b); }

  /// A convolution whose weights may grow along with the channels that it reads and writes.
  bool canPad(const Node& node) const {
    const auto* conv = as<Conv2d>(*node.op);
    return conv != nullptr && conv->conv.groups == 1 && derived_[node.inputs[1]] &&
           (!conv->bias || derived_[node.inputs[static_cast<size_t>(conv->biasInput())]]);
  }
  /// Whether the channels of what the node reads and writes are the same ones, each computed on alone, and zeros do
  /// no harm.
  bool keepsChannels(const Node& node) const {
    const Op& op = *node.op;
    if (is<Unary>(op) || is<MaxPool2d>(op) || is<AveragePool2d>(op)) return true;
    const auto* binary = as<Binary>(op);
    return binary != nullptr && binary->kind != Binary::Kind::kDivide &&
           info(node.inputs[0]).type.shape == info(node.inputs[1]).type.shape;
  }
  bool isChannelSlice(const Node& node) const {
    const auto* slice = as<Slice>(*node.op);
    if (slice == nullptr || slice->extent.rank() != 4) return false;
    const Shape& source = info(node.inputs[0]).type.shape;
    return slice->extent[0] == source[0] && slice->extent[1] == source[1] && slice->extent[2] == source[2];
  }

  void join(const Node& node) {
    const ValueId result = node.outputs[0];
    if (canPad(node)) {
      const auto* conv = as<Conv2d>(*node.op);
      if (conv->residual) unite(node.inputs[static_cast<size_t>(conv->residualInput())], result);
      for (const ValueId id : {node.inputs[0], result})
        isNeeded_[id] = isNeeded_[id] || info(id).type.shape.channels() % multiple_ != 0;
    } else if (keepsChannels(node) || isChannelSlice(node) || is<Concat>(*node.op)) {
      for (const ValueId id : node.inputs) unite(id, result);
    } else {
      for (const ValueId id : node.inputs) isFixed_[id] = true;
      for (const ValueId id : node.outputs) isFixed_[id] = true;
    }
  }

  /// What is cut in one value is cut in those that hold the same channels. Whether anything was new.
  bool propagateCuts() {
    bool changed = false;
    // The channels of `part` are those of `whole` from `begin` on.
    const auto relate = [&](ValueId whole, int64_t begin, ValueId part) {
      const int64_t end = begin + info(part).type.shape.channels();
      changed |= cuts_[whole].insert(begin).second;
      changed |= cuts_[whole].insert(end).second;
      for (const int64_t cut : cuts_[part]) changed |= cuts_[whole].insert(begin + cut).second;
      for (const int64_t cut : cuts_[whole])
        if (cut >= begin && cut <= end) changed |= cuts_[part].insert(cut - begin).second;
    };
    for (const Node& node : graph_.nodes()) {
      if (derived_[node.outputs[0]] || isFixed_[node.outputs[0]]) continue;
      const ValueId result = node.outputs[0];
      if (const auto* conv = as<Conv2d>(*node.op)) {
        if (conv->residual) relate(result, 0, node.inputs[static_cast<size_t>(conv->residualInput())]);
      } else if (is<Concat>(*node.op)) {
        int64_t begin = 0;
        for (const ValueId id : node.inputs) relate(result, begin, id), begin += info(id).type.shape.channels();
      } else if (isChannelSlice(node)) {
        relate(node.inputs[0], static_cast<const Slice&>(*node.op).begin[3], result);
      } else if (keepsChannels(node)) {
        for (const ValueId id : node.inputs) relate(result, 0, id);
      }
    }
    return changed;
  }

  const Graph& graph_;
  int64_t multiple_;
  PerValue<bool> derived_;
  PerValue<ValueId> component_;  ///< towards the value that stands for all that have to grow alike
  PerValue<bool> isFixed_;       ///< read or written by something that counts channels
  PerValue<bool> isNeeded_;      ///< a convolution would pad it
  PerValue<std::set<int64_t>> cuts_;
};

}  // namespace

std::unique_ptr<Graph> padChannels(const Graph& graph, int64_t multiple) {
  if (multiple == 1) return prune(graph);
  const PerValue<ChannelMap> maps = ChannelPadding(graph, multiple).plan();
  return Rewriter(graph).run([&](Rewriter& rewriter, const Node& node) -> std::optional<std::vector<Value>> {
    if (const auto* conv = as<Conv2d>(*node.op)) {
      const ChannelMap &from = maps[node.inputs[0]], &to = maps[node.outputs[0]];
      if (!from.grows() && !to.grows()) return std::nullopt;
      std::vector<Value> inputs;
      for (const ValueId id : node.inputs) inputs.push_back(rewriter(id));
      inputs[1] = to.spread(from.spread(inputs[1], 1), 0);
      if (conv->bias) {
        Value& bias = inputs[static_cast<size_t>(conv->biasInput())];
        bias = to.spread(bias, 0);
      }
      return rewriter.target().add(node.op, inputs);
    }
    if (const auto* op = as<Slice>(*node.op); op != nullptr && maps[node.inputs[0]].grows()) {
      const ChannelMap& from = maps[node.inputs[0]];
      Shape begin = op->begin, extent = op->extent;
      begin[3] = from.at(op->begin[3]);
      extent[3] = from.at(op->begin[3] + op->extent[3]) - begin[3];
      return std::vector{slice(rewriter(node.inputs[0]), begin, extent)};
    }
    return std::nullopt;
  });
}

}  // namespace jcs::compiler
