#pragma once

#include <vector>

#include "graph/scope.h"
#include "networks/spec.h"

namespace jcs::networks {

/// How a network's graph is built; none of it changes a parameter's name or shape.
struct BuildOptions {
  bool training = false;                            ///< outside training batch norms use the stored statistics
  BatchNormMode batchNorm = BatchNormMode::kBatch;  ///< of every layer that is trained
  bool trainTrunk = false;                          ///< jcs-joint: also train the classifier's trunk
  int64_t ranks = 1;                                ///< that share a batch
};

/// What a classifier's graph offers to losses and maps.
struct ClassifierOutputs {
  Value logits;      ///< N×2, class 1 is COVID-19
  Value features;    ///< N×h×w×C, the map before global average pooling; never negative
  Value headWeight;  ///< 2×C
};

struct SegmenterOutputs {
  /// N×H×W×1 each, float32, at the image's size; a loss compares each with the mask.
  std::vector<Value> sideLogits;
  /// The sides whose probabilities are averaged to the final prediction.
  std::vector<size_t> predictionSides = {0};
  std::optional<Value> edgeLogits = std::nullopt;  ///< N×H×W×1 likewise, to be compared with the mask's edge
};

/// The final probabilities, N×H×W×1.
Value prediction(const SegmenterOutputs& outputs);

/// Options of the batch norms that the authors' code freezes (VGG and Res2Net trunks).
inline NormOptions trunkNorm(const NetworkSpec& spec, const BuildOptions& options) {
  return {
      .mode = options.batchNorm, .training = options.training, .epsilon = trunkEpsilon(spec), .ranks = options.ranks};
}

}  // namespace jcs::networks
