#include "graph/autodiff.h"

#include <algorithm>

namespace jcs {

std::vector<Value> gradients(Value loss, std::span<const Value> wrt, Value (*accumulate)(Value, Value), float seed) {
  Graph& graph = *loss.graph;
  require(loss.type().elements() == 1, errors::kShapeMismatch,
          [&] { return "a loss must be a scalar, got shape " + loss.shape().toString(); });

  // The graph is topologically ordered, so one forward sweep finds what depends on `wrt`.
  const size_t valueCount = graph.values().size();
  const size_t nodeCount = graph.nodes().size();
  std::vector<char> depends(valueCount, 0);
  for (const Value& value : wrt) depends[static_cast<size_t>(value.id)] = 1;
  for (const Node& node : graph.nodes())
    if (std::ranges::any_of(node.inputs, [&](int id) { return depends[static_cast<size_t>(id)]; }))
      for (int id : node.outputs) depends[static_cast<size_t>(id)] = 1;

  std::vector<Value> gradient(valueCount);
  Tensor one = Tensor::zeros(DType::kF32, loss.shape());
  one.as<float>()[0] = seed;
  gradient[static_cast<size_t>(loss.id)] = graph.constant(std::move(one));

  for (size_t index = nodeCount; index-- > 0;) {
    const Node node = graph.nodes()[index];  // a copy: the graph grows below
    const auto at = [&](int id) { return gradient[static_cast<size_t>(id)]; };
    if (std::ranges::none_of(node.outputs, [&](int id) { return bool(at(id)); })) continue;

    std::vector<Value> inputs, outputs, outputGradients;
    for (int id : node.inputs) inputs.push_back(graph.value(id));
    for (int id : node.outputs) outputs.push_back(graph.value(id)), outputGradients.push_back(at(id));
    const auto wanted = std::make_unique<bool[]>(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) wanted[i] = depends[static_cast<size_t>(node.inputs[i])] != 0;
    if (std::none_of(wanted.get(), wanted.get() + inputs.size(), [](bool w) { return w; })) continue;

    graph.scope = node.scope.empty() ? "gradient" : node.scope + " (gradient)";
    const std::vector<Value> contributions =
        node.op->gradient({inputs, outputs, outputGradients, std::span(wanted.get(), inputs.size())});
    invariant(contributions.size() == inputs.size(), "a gradient rule returns one value per input");
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!wanted[i] || !contributions[i]) continue;
      invariant(contributions[i].shape() == inputs[i].shape(), "a gradient has its value's shape");
      Value& sum = gradient[static_cast<size_t>(node.inputs[i])];
      sum = sum ? accumulate(sum, contributions[i]) : contributions[i];
    }
  }
  graph.scope.clear();

  std::vector<Value> results;
  for (const Value& value : wrt) {
    const Value found = gradient[static_cast<size_t>(value.id)];
    results.push_back(found ? found : graph.constant(Tensor::zeros(value.type().dtype, value.shape())));
  }
  return results;
}

}  // namespace jcs
