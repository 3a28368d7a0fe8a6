#pragma once

#include <memory>

#include "graph/graph.h"

namespace jcs::compiler {

/// The graph with every sum over the ranks begun as soon as what it sums is there, so that it is under way during what
/// comes in between. The order of the sums follows from the graph alone: it is the same on every rank.
std::unique_ptr<Graph> communicateEarly(std::unique_ptr<Graph> graph);

}  // namespace jcs::compiler
