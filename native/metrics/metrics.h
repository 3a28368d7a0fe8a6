#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace jcs {

/// Name to value; names and definitions as in docs and in `metrics.*` of the TypeScript API.
using Metrics = std::map<std::string, double>;

/// One image: dice, iou (at > 0.5), iouAdaptive (at > 2·mean), eMeasure (adaptive), eMeasureMean, eMeasureMax, mae,
/// sensitivity, specificity. Probabilities in [0, 1], truth nonzero = lesion, of equal length.
/// INVALID_ARGUMENT when lengths differ or are 0, NOT_FINITE for NaN.
Metrics segmentationMetrics(std::span<const float> probabilities, std::span<const uint8_t> truth);

/// A whole set: means over images of the above, and the MiniSeg protocol's pooled `mIoU`.
/// Images with an empty truth: `dice` skips them, `diceEmptyAsOne` scores 1 for an empty prediction and else 0.
class SegmentationScores {
 public:
  void add(std::span<const float> probabilities, std::span<const uint8_t> truth);
  /// Empty when nothing was added. Also `images`, `emptyTruth`.
  Metrics result() const;

 private:
  Metrics sums_;
  int64_t images_ = 0, scored_ = 0;
  double pooled_[4]{};  ///< TP, FP, FN, TN
};

/// accuracy, sensitivity, specificity, f1, auc (ties by average rank) for labels 0/1; NaN where a class is missing.
Metrics classificationMetrics(std::span<const float> probabilities, std::span<const uint8_t> labels,
                              double threshold = 0.5);

}  // namespace jcs
