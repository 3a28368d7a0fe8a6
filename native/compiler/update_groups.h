#pragma once

#include <memory>

#include "compiler/storage.h"
#include "graph/graph.h"

namespace jcs::compiler {

// Updates of states are many, small and independent of each other: running statistics, steps of the optimiser. A device
// that takes several at once (Backend::preparesTogether) gets those of a kind as one kernel.

/// Moves small updates behind everything else, those of a kind next to each other. Where none is taken at once, the
/// graph stays as it is.
std::unique_ptr<Graph> gatherUpdates(std::unique_ptr<Graph> graph, const Backend& backend);

/// Per node the first of its group, itself where it is alone. Nodes of a group follow each other, do not read each
/// other's results, and are prepared together.
PerNode<NodeId> planGroups(const Graph& graph, const PerValue<bool>& derived, const StoragePlan& storage,
                           const Backend& backend);

}  // namespace jcs::compiler
