#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/surface.h"

namespace jcs::metrics {

/// Name to value; the names are those of the TypeScript API.
using Metrics = std::map<std::string, double>;

/// The means of metrics over slices, each over those where it is defined; NaN where it is for none.
class MetricMeans {
 public:
  void add(const std::string& name, double value);
  void add(const Metrics& metrics);
  Metrics result() const;

 private:
  struct Mean {
    double sum = 0, count = 0;
  };
  std::map<std::string, Mean> means_;
};

/// Pixels or cases by prediction and truth.
struct Confusion {
  double truePositive = 0, falsePositive = 0, falseNegative = 0, trueNegative = 0;
};

/// How near outlines have to be for nsd: what Ma et al. (Medical Physics 48, 2021) allow for lesions.
inline constexpr double kSurfaceTolerance = 3;

/// E(t) for the thresholds t = 0/255 .. 255/255.
using EnhancedAlignmentCurve = std::array<double, 256>;

/// What the scores of one image are made from.
struct ImageScores {
  Confusion fixed;  ///< of p > 0.5
  double iouAdaptive, eMeasure, mae;
  EnhancedAlignmentCurve curve;
  std::optional<SurfaceDistance> surface;  ///< of p > 0.5, where the grid is known
  bool surfaceInMm;

  bool emptyTruth() const { return fixed.truePositive + fixed.falseNegative == 0; }
};

/// One image; probabilities in [0, 1], truth nonzero = lesion, of equal length, in any order of pixels.
///
/// | name | definition |
/// |---|---|
/// | dice, iou | 2TP/(2TP+FP+FN), TP/(TP+FP+FN) of p > 0.5; 1 where neither map nor truth has a lesion |
/// | iouAdaptive | IoU of p > 2·mean(p), the rule of the JCS authors' evaluator |
/// | eMeasure | enhanced alignment (Fan et al., IJCAI 2018) of p' >= min(2·mean(p'), 1) |
/// | eMeasureMean, eMeasureMax | mean and maximum of E over the 256 maps floor(255·p') >= t |
/// | mae | mean of abs(p − truth) |
/// | sensitivity, specificity | TP/(TP+FN), TN/(TN+FP) of p > 0.5; NaN where the truth has no such pixel |
/// | hd95Mm or hd95Pixels, nsd | surfaceDistance of p > 0.5 within 3 mm, or 3 pixels where mm are not known |
///
/// p' is p stretched to [0, 1] by its minimum and maximum, or p itself where it is constant. E divides by
/// N − 1 + 2⁻⁵², as its authors' code and PySODMetrics do, so a perfect map of N pixels scores N/(N − 1).
///
/// INVALID_ARGUMENT when the lengths differ or are 0 or a value is no probability, NOT_FINITE for NaN and infinities.
/// Without a grid there are no surface distances.
Metrics segmentationMetrics(std::span<const float> probabilities, std::span<const uint8_t> truth,
                            const std::optional<PixelGrid>& grid = {});

/// A whole set of images: each of the above as the mean over the images where it is defined, except:
///
/// | name | definition |
/// |---|---|
/// | dice, iou, iouAdaptive, nsd | means over the images that have a lesion in the truth; NaN without any |
/// | diceEmptyAsOne | mean over all images; without a lesion in the truth an empty map scores 1, any other 0 |
/// | eMeasureMax | maximum over the thresholds of the mean curve, as PySODMetrics reports maxE |
/// | hd95Mm, hd95Pixels | means over the images where both maps have a lesion, those with a spacing and the others |
/// | dicePooled | dice of the pixels of all images pooled; 1 where neither maps nor truths have a lesion |
/// | mIoU | MiniSeg's: pixels of all images pooled, mean of the lesions' and the background's IoU at p > 0.5 |
/// | images, emptyTruth | how many were added, and how many of them have no lesion in the truth |
class SegmentationScores {
 public:
  void add(std::span<const float> probabilities, std::span<const uint8_t> truth,
           const std::optional<PixelGrid>& grid = {});
  /// Empty when nothing was added.
  Metrics result() const;
  /// Of some images, by the order in which they were added; one that comes twice counts twice.
  Metrics result(std::span<const size_t> images) const;
  /// dice and iou of the image that was added last, whether or not it has lesions.
  Metrics last() const;

 private:
  std::vector<ImageScores> images_;
};

/// accuracy, sensitivity, specificity and f1 of score > threshold, and auc, the probability that a positive scores
/// above a negative (ties count one half), for labels 0 and 1. NaN where a needed class is missing. ece is the
/// expected calibration error over 15 bins (calibration.h).
/// INVALID_ARGUMENT when lengths differ or are 0 or a label is neither 0 nor 1, NOT_FINITE for NaN and infinities.
Metrics classificationMetrics(std::span<const float> probabilities, std::span<const uint8_t> labels,
                              double threshold = 0.5);

}  // namespace jcs::metrics
