#pragma once

#include <vector>

#include "graph/graph.h"

namespace jcs {

/// Reverse-mode differentiation: adds to the graph of `loss` (a scalar) the nodes that compute d loss / d w for each of
/// `wrt`, by every op's own rule, and returns them in the same order. A value that the loss does not depend on gets a
/// zero constant. `seed` is d loss / d loss: 1 unless a loss scale is wanted.
///
/// Needs an addition op, which graph/ does not know: `accumulate(a, b)` is passed in (ops/elementwise.h: `add`).
std::vector<Value> gradients(Value loss, std::span<const Value> wrt, Value (*accumulate)(Value, Value), float seed = 1);

}  // namespace jcs
