#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "data/slice_store.h"
#include "diagnosis/test_time.h"
#include "measure/lesions.h"
#include "model/model.h"

namespace jcs::diagnosis {

/// A slice where it lies; the store is its owner's.
struct StoredSlice {
  const data::SliceStore* store;
  size_t index;
};

/// Slices that are seen together, of one store or of several.
struct SliceSelection {
  std::vector<StoredSlice> slices;
  bool isRemainder = false;  ///< what is left of more slices, after full batches

  explicit SliceSelection(std::vector<StoredSlice> chosen, bool remainder = false)
      : slices(std::move(chosen)), isRemainder(remainder) {}
  SliceSelection(const data::SliceStore& store, std::span<const size_t> indices, bool remainder = false)
      : isRemainder(remainder) {
    for (const size_t index : indices) slices.push_back({&store, index});
  }

  size_t size() const { return slices.size(); }
  const data::SliceInfo& info(size_t i) const { return slices[i].store->info(slices[i].index); }
  void read(size_t i, std::span<std::byte> bytes) const { slices[i].store->read(slices[i].index, bytes); }
};

struct SliceClassification {
  double logOdds = 0;                ///< of infection, the difference of the logits
  float probability = 0;             ///< of infection, their softmax at the model's temperature
  std::vector<float> activationMap;  ///< source height × width in [0, 1]; empty unless asked for
};

struct SliceSegmentation {
  data::BitMask mask;                    ///< source height × width, 1 = lesion
  std::vector<float> probabilities;      ///< the same, before the threshold; empty unless asked for
  std::vector<measure::Lesion> lesions;  ///< largest first
  int64_t areaPixels = 0;
  std::optional<double> areaMm2;
};

/// How a source image becomes the network's input: resized to `height` × `width`, of which a square of the input's size
/// is cut out at (top, left). The paper resizes to the input's size; the authors' classifier resizes the shorter side
/// to 256/224 of it and cuts out the centre.
struct InputGeometry {
  int64_t height, width, top, left;
};
InputGeometry inputGeometry(const networks::NetworkSpec& spec, int64_t inputSize, int64_t sourceHeight,
                            int64_t sourceWidth);

/// Of the program in which that many slices run: a batch that is not full takes the next power of two, so that few
/// programs are compiled. On a device that prepares slowly a remainder takes the program of the full batches before it.
int64_t programBatch(const SliceSelection& slices, int64_t batchSize, bool preparesSlowly);

struct ClassificationRequest {
  bool explain = false;  ///< activation maps, too
  TestTimeAugmentation testTime = {};
};
/// Classifies up to `batchSize` slices in one run of the network; results in their order. Blocks; CANCELLED when
/// `cancelled` is raised. INVALID_ARGUMENT for a segmentation network.
std::vector<SliceClassification> classifySlices(model::Model& model, const SliceSelection& slices, int64_t batchSize,
                                                const ClassificationRequest& request,
                                                const std::atomic<bool>* cancelled);

struct SegmentationRequest {
  float threshold = 0.5f;  ///< a pixel is lesion when its probability, at the source's size, is larger
  bool probabilities = false;
  int64_t minAreaPixels = 1;
  TestTimeAugmentation testTime = {};
};
/// The same for segmentation networks: the final side output (side1), resized to the source.
std::vector<SliceSegmentation> segmentSlices(model::Model& model, const SliceSelection& slices, int64_t batchSize,
                                             const SegmentationRequest& request, const std::atomic<bool>* cancelled);

}  // namespace jcs::diagnosis
