#include "compiler/passes.h"
#include "compiler/rewrite.h"
#include "ops/elementwise.h"

namespace jcs::compiler {

std::unique_ptr<Graph> lowerPrecision(const Graph& graph, DType activation) {
  if (activation == DType::kF32) return prune(graph);
  Rewriter rewriter(graph);
  const auto rule = [&](Rewriter& to, const Node& node) -> std::optional<std::vector<Value>> {
    std::optional<Value> first;  // of those that follow
    for (size_t i = 0; i < node.inputs.size() && !first; ++i)
      if (node.op->precision(static_cast<int>(i)) == Precision::kFollow) first = to(node.inputs[i]);
    std::vector<Value> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Value value = to(node.inputs[i]);
      switch (node.op->precision(static_cast<int>(i))) {
        case Precision::kFloat32: value = cast(value, DType::kF32); break;
        case Precision::kActivation: value = cast(value, activation); break;
        case Precision::kBytes: break;
        case Precision::kFollow:
          // But for what an elementwise op broadcasts: that is float32.
          value =
              cast(value, is<Binary>(*node.op) && value.shape() != first->shape() ? DType::kF32 : first->type().dtype);
          break;
        case Precision::kGradient: value = cast(value, first->type().dtype); break;
      }
      inputs.push_back(value);
    }
    return to.target().add(node.op, inputs);
  };
  // Results and states are float32 whatever they were computed in, but for bytes.
  return prune(*rewriter.run(
      rule, [](Value value) { return value.type().dtype == DType::kU8 ? value : cast(value, DType::kF32); }));
}

}  // namespace jcs::compiler
