#include "compiler/quantization.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <ranges>

#include "compiler/derivation.h"
#include "compiler/rewrite.h"
#include "ops/layout.h"

namespace jcs::compiler {

namespace {

constexpr float kSteps = 255;

bool isQuantizable(const Node& node, const PerValue<bool>& derived) {
  const auto* conv = as<Conv2d>(*node.op);
  return conv && conv->conv.groups == 1 && derived[node.inputs[1]] && !derived[node.inputs[0]];
}

/// What the readers of a value make of it.
class Wishes {
 public:
  void number() { isNumber_ = true; }
  void bytes(const Quantization& q) {
    isNumber_ = isNumber_ || (bytes_ && *bytes_ != q);
    bytes_ = q;
  }
  /// The bytes that all of them take.
  std::optional<Quantization> common() const { return isNumber_ ? std::nullopt : bytes_; }

 private:
  std::optional<Quantization> bytes_;
  bool isNumber_ = false;
};

class Pass {
 public:
  Pass(const Graph& graph, const LayerRanges& layers)
      : graph_(graph), inputs_(graph.values().size()), bytes_(graph.values().size()) {
    const PerValue<bool> derived = findDerived(graph);
    for (const Node& node : graph.nodes()) {
      const auto found = layers.find(node.scope);
      if (found != layers.end() && isQuantizable(node, derived))
        inputs_[node.outputs[0]] = quantizationOf(found->second);
    }
    findBytes();
  }

  std::unique_ptr<Graph> run() {
    return prune(*Rewriter(graph_).run([&](Rewriter& to, const Node& node) -> std::optional<std::vector<Value>> {
      if (const auto& input = inputs_[node.outputs[0]]) return convolution(to, node, *input);
      const auto& bytes = bytes_[node.outputs[0]];
      return is<Concat>(*node.op) && bytes ? std::optional(joined(to, node, *bytes)) : std::nullopt;
    }));
  }

 private:
  /// From the last node to the first: readers come after what they read.
  void findBytes() {
    PerValue<Wishes> wishes(graph_.values().size());
    for (const auto& [name, id] : graph_.outputs()) wishes[id].number();
    for (const auto& [state, value] : graph_.assignments()) wishes[value].number();
    for (const Node& node : graph_.nodes() | std::views::reverse) {
      for (const ValueId id : node.outputs) bytes_[id] = wishes[id].common();
      const auto &input = inputs_[node.outputs[0]], &joint = bytes_[node.outputs[0]];
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        Wishes& wish = wishes[node.inputs[i]];
        if (input && i == 0)
          wish.bytes(*input);
        else if (input && static_cast<int>(i) == static_cast<const Conv2d&>(*node.op).residualInput())
          continue;  // bytes or numbers
        else if (is<Concat>(*node.op) && joint)
          wish.bytes(*joint);
        else
          wish.number();
      }
    }
  }

  /// Rounded once for all that read these, and labelled as the first of them.
  Value asBytes(Rewriter& to, ValueId id, const Quantization& q) {
    const Value value = to(id);
    if (value.type().dtype == DType::kU8) return value;
    const auto [found, isNew] = rounded_.try_emplace({id, textOf(q)});
    if (isNew) found->second = quantize(value, q);
    return found->second;
  }

  std::vector<Value> joined(Rewriter& to, const Node& node, const Quantization& q) {
    std::vector<Value> parts;
    for (const ValueId id : node.inputs) parts.push_back(asBytes(to, id, q));
    return {concat(parts)};
  }

  std::vector<Value> convolution(Rewriter& to, const Node& node, const Quantization& input) {
    const auto& from = static_cast<const Conv2d&>(*node.op);
    auto op = std::make_shared<QuantizedConv2d>();
    op->conv = from.conv;
    op->bias = from.bias;
    op->residual = from.residual;
    op->activation = from.activation;
    op->input = input;
    std::vector<Value> operands{asBytes(to, node.inputs[0], input)};
    for (size_t i = 1; i < node.inputs.size(); ++i) operands.push_back(to(node.inputs[i]));
    if (from.residual) {
      const ValueId residual = node.inputs[static_cast<size_t>(from.residualInput())];
      if (const auto& q = bytes_[residual]) {
        op->residualBytes = *q;
        operands.back() = asBytes(to, residual, *q);
      }
    }
    const ValueId result = node.outputs[0];
    op->dtype = bytes_[result] ? DType::kU8 : graph_.values()[result].type.dtype;
    if (bytes_[result]) op->output = *bytes_[result];
    return addNodeWithOutputs(op, operands);
  }

  const Graph& graph_;
  PerValue<std::optional<Quantization>> inputs_;  ///< of the convolutions that become ones of bytes, by their results
  PerValue<std::optional<Quantization>> bytes_;   ///< that all readers of a value take
  std::map<std::pair<ValueId, std::string>, Value> rounded_;
};

}  // namespace

Quantization quantizationOf(const ValueRange& range) {
  const float low = std::min(range.low, 0.0f), high = std::max(range.high, 0.0f);
  Quantization q;
  if (high > low) q.scale = (high - low) / kSteps;
  q.zero = std::lround(-low / q.scale);
  return q;
}

std::vector<std::string> quantizableLayers(const Graph& graph) {
  const PerValue<bool> derived = findDerived(graph);
  std::vector<std::string> layers;
  for (const Node& node : graph.nodes())
    if (isQuantizable(node, derived) && std::ranges::find(layers, node.scope) == layers.end())
      layers.push_back(node.scope);
  return layers;
}

std::unique_ptr<Graph> quantizeConvolutions(const Graph& graph, const LayerRanges& layers) {
  return Pass(graph, layers).run();
}

}  // namespace jcs::compiler
