#pragma once

#include "model/metadata.h"
#include "ops/images.h"

namespace jcs {

/// How large a batch's sources may be for one program, which is compiled for sizes and not for images.
struct SourceCapacity {
  int64_t bytes = 0;   ///< of all sources
  int64_t pixels = 0;  ///< of all masks; classification has none
};

/// From pixels to results as one program. Inputs "bytes" and "sources", a table of `ImageRecord`; outputs 'logits' n×2
/// and, on request, 'activationMap' n×h×w×1 (raw, eq. 2).
std::unique_ptr<Graph> classificationGraph(const ModelMetadata& metadata, int64_t n, const SourceCapacity& capacity,
                                           bool withActivationMap);

/// The same for segmentation; input "targets" too, a table of `MapTarget`. Outputs: what `MapsToSources` makes of the
/// finest map, 'masks', 'statistics' and, on request, 'probabilities'.
std::unique_ptr<Graph> segmentationGraph(const ModelMetadata& metadata, int64_t n, const SourceCapacity& capacity,
                                         bool withProbabilities);

}  // namespace jcs
