#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "ops/quantized.h"

namespace jcs::compiler {

/// Between which numbers a value was seen to lie.
struct ValueRange {
  float low = 0, high = 0;
  bool operator==(const ValueRange&) const = default;
};

/// What the inputs of convolutions lie between, by the convolutions' scopes. Those that are not named stay as they are.
using LayerRanges = std::map<std::string, ValueRange>;

/// 256 steps from the lower to the upper end, moved so that 0 is one of them.
Quantization quantizationOf(const ValueRange& range);

/// The convolutions of an optimised graph that can be ones of bytes at all, which have one group and weights that no
/// run changes, in their order.
std::vector<std::string> quantizableLayers(const Graph& graph);

/// The convolutions that `layers` names become convolutions of bytes. A value is bytes as soon as it is made where all
/// its readers want the same ones: then it is written and read as such by the convolutions on both sides, as a residual
/// too, and through concatenations. Else it is rounded for whoever wants bytes. Runs last: what stays has its type.
std::unique_ptr<Graph> quantizeConvolutions(const Graph& graph, const LayerRanges& layers);

}  // namespace jcs::compiler
