#pragma once

#include <vector>

#include "backend/backend.h"
#include "graph/graph.h"

namespace jcs::conformance {

/// Runs a graph of a few nodes on the reference backend, node by node, every value in float64.
class Evaluation {
 public:
  Evaluation(Backend& reference, const Graph& graph) : reference_(reference), graph_(graph) {}

  /// The values of the first `nodeCount` nodes; `inputs` are the graph's inputs in order of definition.
  PerValue<Tensor> run(std::span<const Tensor> inputs, size_t nodeCount) const;

 private:
  Backend& reference_;
  const Graph& graph_;
};

/// One op on the reference backend: float64 results from inputs of any dtype.
std::vector<Tensor> evaluateOp(Backend& reference, const Op& op, std::span<const Tensor* const> inputs,
                               std::span<const Shape> outputs);

}  // namespace jcs::conformance
