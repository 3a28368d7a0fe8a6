#pragma once

#include <memory>

#include "compiler/quantization.h"
#include "graph/graph.h"

namespace jcs::compiler {

/// conv2d → affine with a scale and shift that depend on stored parameters alone becomes one convolution whose weights
/// are scaled: batch norm with stored statistics costs nothing at run time.
std::unique_ptr<Graph> foldBatchNorm(const Graph& graph);

/// Moves ReLU, sigmoid and residual additions into the kernel that produces their operand, and broadcasts into the
/// elementwise op that reads them; the gradient of a ReLU into that of the batch norm before it, and what is added up
/// for it into it. Runs after differentiation: fused ops have no gradient.
std::unique_ptr<Graph> fuseEpilogues(const Graph& graph);

/// Cuts every split into slices, each of which is a view or a copy of its own.
std::unique_ptr<Graph> splitIntoSlices(const Graph& graph);

/// Runs convolutions, and all that stands between them, in `activation`; statistics, losses, small vectors and master
/// weights stay float32. Casts appear where the two meet. Identity for float32.
std::unique_ptr<Graph> lowerPrecision(const Graph& graph, DType activation);

/// All of them, in order, and dead code removed. Convolutions get channels by the multiple of `channelMultiple`
/// (compiler/channel_padding.h) where that is free. Those that `layers` names, if any, become convolutions of bytes
/// (compiler/quantization.h).
std::unique_ptr<Graph> optimize(const Graph& graph, DType activation, int64_t channelMultiple = 1,
                                const LayerRanges* layers = nullptr);

}  // namespace jcs::compiler
