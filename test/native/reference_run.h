#pragma once

#include <map>
#include <string>

#include "graph/graph.h"

namespace jcs {

using NamedTensors = std::map<std::string, Tensor>;

struct ReferenceRun {
  NamedTensors outputs;      ///< float64, by name
  NamedTensors assignments;  ///< float64: what the states would hold after the run
};

/// Runs a whole graph on the float64 reference backend, node by node and without any compilation, so that networks are
/// checked independently of the compiler. Inputs and states are looked up by name; a missing one fails the test.
ReferenceRun runOnReference(const Graph& graph, const NamedTensors& inputs, const NamedTensors& states);

/// ‖value − expected‖ / ‖expected‖ in float64, undivided where the expected is zero; infinite when the element counts
/// differ.
double relativeError(const Tensor& value, const Tensor& expected);

}  // namespace jcs
