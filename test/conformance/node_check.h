#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "conformance/case.h"

namespace jcs::conformance {

/// One op with its operands, taken out of a case's graph: the forward op or one that its gradient is made of. Operands
/// hold what the reference computed in the case, in float64.
struct NodeCase {
  std::string label;  ///< the case, the op and its attributes
  std::shared_ptr<const Op> op;
  std::vector<int> inputIds;      ///< of each operand: equal ids are one tensor used twice
  std::vector<DType> graphTypes;  ///< dtypes of the inputs in the graph as written
  std::vector<Tensor> inputs;
  std::vector<Shape> outputs;
};

/// The nodes of a case and of its gradient, but not of the projection to a loss between them.
std::vector<NodeCase> nodesOf(Backend& reference, const Case& row);

/// The dtypes that a program in `activation` precision gives the op's inputs (compiler/precision.cpp, for bf16).
std::vector<DType> inputTypes(const NodeCase& node, DType activation);

struct NodeReport {
  std::string failure;         ///< empty when the node conforms
  double worstError = 0;       ///< largest normalised error among outputs and layouts
  std::string implementation;  ///< of the dense run
};

/// Runs the op on `backend` with dense operands, with each operand as a channel slice that the backend accepts so, with
/// all of them, and in place where the op allows it. Checks in every layout: results against the reference, nothing
/// written outside the outputs, inputs untouched, nothing read between the rows of a slice or from undefined scratch,
/// a second run bit-equal to the first.
NodeReport checkNode(const std::shared_ptr<Backend>& backend, Backend& reference, const NodeCase& node,
                     std::span<const DType> types, int threads);

}  // namespace jcs::conformance
