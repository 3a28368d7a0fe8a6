#pragma once

#include <memory>

#include "graph/graph.h"

namespace jcs::compiler {

/// Gives convolutions channels by the multiple: tensor cores read 8 bf16 numbers at once, and the 26 and 52 channels of
/// a Res2Net slice would be padded and cut in passes of their own around every convolution. Where all that lies between
/// convolutions keeps its channels apart, their weights get zeros instead, and every slice its own room: 4 × 26 become
/// 4 × 32. Only weights that depend on stored parameters alone are padded, once; a training step stays as it is.
/// Identity for a multiple of 1.
std::unique_ptr<Graph> padChannels(const Graph& graph, int64_t multiple);

}  // namespace jcs::compiler
