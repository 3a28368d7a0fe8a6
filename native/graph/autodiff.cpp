#include "graph/autodiff.h"

#include <algorithm>

namespace jcs {

std::vector<Value> gradients(Value loss, std::span<const Value> wrt, Value (*accumulate)(Value, Value), float seed) {
  Graph& graph = *loss.graph;
  require(loss.type().elements() == 1, errors::kShapeMismatch,
          [&] { return "a loss must be a scalar, got shape " + loss.shape().toString(); });

  // The graph is topologically ordered, so one forward sweep finds what depends on `wrt`.
  PerValue<bool> depends(graph.values().size());
  for (const Value& value : wrt) depends[value.id] = true;
  for (const Node& node : graph.nodes())
    if (std::ranges::any_of(node.inputs, [&](ValueId id) { return depends[id]; }))
      for (const ValueId id : node.outputs) depends[id] = true;

  PerValue<Value> gradient(graph.values().size());
  Tensor one = Tensor::zeros(DType::kF32, loss.shape());
  one.as<float>()[0] = seed;
  gradient[loss.id] = graph.constant(std::move(one));

  for (const NodeId id : graph.nodes().ids() | std::views::reverse) {
    const Node node = graph.nodes()[id];  // a copy: the graph grows below
    if (std::ranges::none_of(node.outputs, [&](ValueId output) { return bool(gradient[output]); })) continue;

    std::vector<Value> inputs, outputs, outputGradients;
    for (const ValueId input : node.inputs) inputs.push_back(graph.value(input));
    for (const ValueId output : node.outputs)
      outputs.push_back(graph.value(output)), outputGradients.push_back(gradient[output]);
    const auto wanted = std::make_unique<bool[]>(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) wanted[i] = depends[node.inputs[i]];
    if (std::none_of(wanted.get(), wanted.get() + inputs.size(), [](bool w) { return w; })) continue;

    const NodeLabel label(graph, node.scope.empty() ? "gradient" : node.scope + " (gradient)");
    const std::vector<Value> contributions =
        node.op->gradient({inputs, outputs, outputGradients, std::span(wanted.get(), inputs.size())});
    invariant(contributions.size() == inputs.size(), "a gradient rule returns one value per input");
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!wanted[i] || !contributions[i]) continue;
      invariant(contributions[i].shape() == inputs[i].shape(), "a gradient has its value's shape");
      Value& sum = gradient[node.inputs[i]];
      sum = sum ? accumulate(sum, contributions[i]) : contributions[i];
    }
  }

  std::vector<Value> results;
  for (const Value& value : wrt) {
    const Value found = gradient[value.id];
    results.push_back(found ? found : graph.constant(Tensor::zeros(value.type().dtype, value.shape())));
  }
  return results;
}

}  // namespace jcs
