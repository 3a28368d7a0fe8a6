#pragma once

#include <functional>
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
  std::vector<ValueId> inputIds;       ///< of each operand: equal ids are one tensor used twice
  std::vector<TensorType> graphTypes;  ///< of the inputs in the graph as written
  bool fixedTypes = false;             ///< operands have exactly those
  std::vector<Tensor> inputs;
  std::vector<Shape> outputs;
  bool takesByteOps = false;  ///< the case has ops of ops/quantized.h, which not every backend has
};

/// The nodes of a case and of its gradient, but not of the projection to a loss between them, whose label is wanted.
std::vector<NodeCase> nodesOf(Backend& reference, const Case& row,
                              const std::function<bool(const std::string& label)>& isWanted);

/// The dtypes of an op's inputs in a program of that precision: float32 where the op asks for it and for a broadcast
/// operand, `activation` elsewhere.
std::vector<DType> inputTypes(const Op& op, std::span<const TensorType> graphTypes, DType activation, bool fixedTypes);

struct NodeReport {
  std::string failure;         ///< empty when the node conforms
  DType dtype = DType::kF64;   ///< the coarsest of all operands, whose bound holds
  double worstError = 0;       ///< largest normalised error among outputs and layouts
  std::string implementation;  ///< of the dense run
};

/// Runs the op on `backend` with dense operands, on one thread too, with each operand as a channel slice that the
/// backend accepts so, with all of them, and in place where the op allows it. Checks in every layout: results against
/// the reference, nothing written outside the outputs, inputs untouched, nothing read between the rows of a slice or
/// from undefined scratch, a second run bit-equal to the first. Of every kernel that the backend has for it.
NodeReport checkNode(const std::shared_ptr<Backend>& backend, Backend& reference, const NodeCase& node,
                     std::span<const DType> types, int threads);

}  // namespace jcs::conformance
