#pragma once

#include <array>

#include "diagnosis/test_time.h"
#include "model/metadata.h"
#include "ops/images.h"

namespace jcs::diagnosis {

/// How large a batch's sources may be for one program, which is compiled for sizes and not for images.
struct SourceCapacity {
  int64_t bytes = 0;   ///< of all sources
  int64_t pixels = 0;  ///< of all masks; classification has none
};

/// The pixels of a batch's images, and what lies where.
inline constexpr InputPort<std::byte> kSourceBytesInput{"bytes"};
/// One table for each size at which the network sees them.
inline constexpr std::array<InputPort<ImageRecord>, TestTimeAugmentation::kMostScales> kSourcesInputs{
    {{"sources"}, {"sources2"}, {"sources3"}, {"sources4"}, {"sources5"}}};

/// From pixels to results as one program. Outputs `kLogitsOutput` and, on request, `kActivationMapOutput` (raw, eq. 2),
/// means over the views of `testTime`.
std::unique_ptr<Graph> classificationGraph(const model::ModelMetadata& metadata, int64_t n,
                                           const SourceCapacity& capacity, bool withActivationMap,
                                           const TestTimeAugmentation& testTime = {});

/// What `MapsToSources` takes, and makes of the finest map.
inline constexpr InputPort<MapTarget> kTargetsInput{"targets"};
inline constexpr OutputPort<std::byte> kMasksOutput{"masks"};
inline constexpr OutputPort<MapStatistics> kStatisticsOutput{"statistics"};
inline constexpr OutputPort<float> kProbabilitiesOutput{"probabilities"};

/// The same for segmentation; the probabilities on request. The mean is of probabilities, at the largest size of the
/// views.
std::unique_ptr<Graph> segmentationGraph(const model::ModelMetadata& metadata, int64_t n,
                                         const SourceCapacity& capacity, bool withProbabilities,
                                         const TestTimeAugmentation& testTime = {});

}  // namespace jcs::diagnosis
