#pragma once

#include <functional>
#include <string>

#include "graph/graph.h"

namespace jcs::io {

/// The current value of a state, by name.
using ParameterSource = std::function<Tensor(const std::string& name)>;

struct OnnxOptions {
  std::string graphName = "jcs";
  /// Leaves the batch open (a dimension named 'batch'). The graph must then be built for a batch of at least 2, so that
  /// its batch axes differ from axes of extent 1. Height and width stay those of the graph.
  bool dynamicBatch = false;
};

/// Writes what the outputs of an inference graph depend on as an ONNX model, opset 18, float32. Inputs and outputs keep
/// their names; those of four dimensions are N×C×H×W there, as everybody expects of ONNX. The graph is the one that the
/// network built, or one whose batch norms are folded and activations fused. Convolutions of bytes, whose weights have
/// to be states or constants, become convolutions between QuantizeLinear and DequantizeLinear (QDQ). UNSUPPORTED_FORMAT
/// for an op that has no place in inference; the errors of AtomicFile; INPUT_TOO_LARGE above 2 GB.
void exportOnnx(const Graph& graph, const ParameterSource& parameters, const OnnxOptions& options,
                const std::string& path);

}  // namespace jcs::io
