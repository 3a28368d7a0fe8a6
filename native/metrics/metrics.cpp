#include "metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "metrics/calibration.h"
#include "metrics/comparable.h"

namespace jcs::metrics {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();  // MATLAB's eps, numpy's spacing(1)
constexpr double kMiniSegEpsilon = 1e-8;

double ratio(double part, double whole) { return whole > 0 ? part / whole : kUndefined; }

double dice(const Confusion& c) {
  const double whole = 2 * c.truePositive + c.falsePositive + c.falseNegative;
  return whole > 0 ? 2 * c.truePositive / whole : 1;
}

double intersectionOverUnion(const Confusion& c) {
  const double either = c.truePositive + c.falsePositive + c.falseNegative;
  return either > 0 ? c.truePositive / either : 1;
}

double sensitivity(const Confusion& c) { return ratio(c.truePositive, c.truePositive + c.falseNegative); }
double specificity(const Confusion& c) { return ratio(c.trueNegative, c.trueNegative + c.falsePositive); }

/// E sums a value per pixel that depends only on (predicted, true) and on two means, so four counts hold all of it.
double enhancedAlignment(const Confusion& c) {
  const double positives = c.truePositive + c.falseNegative, negatives = c.falsePositive + c.trueNegative;
  const double predicted = c.truePositive + c.falsePositive, pixels = positives + negatives;
  const double denominator = pixels - 1 + kEpsilon;
  if (positives == 0) return (pixels - predicted) / denominator;
  if (negatives == 0) return predicted / denominator;
  const double predictedMean = predicted / pixels, truthMean = positives / pixels;
  const auto enhanced = [&](double map, double truth) {
    const double a = map - predictedMean, b = truth - truthMean;
    const double alignment = 2 * a * b / (a * a + b * b + kEpsilon);
    return (1 + alignment) * (1 + alignment) / 4;
  };
  return (c.truePositive * enhanced(1, 1) + c.falsePositive * enhanced(1, 0) + c.falseNegative * enhanced(0, 1) +
          c.trueNegative * enhanced(0, 0)) /
         denominator;
}

template <typename Predicate>
Confusion confusionOf(std::span<const float> probabilities, std::span<const uint8_t> truth, const Predicate& positive) {
  int64_t counts[2][2]{};  // [truth][prediction]
  for (size_t i = 0; i < truth.size(); ++i) ++counts[truth[i] != 0][positive(static_cast<double>(probabilities[i]))];
  return {static_cast<double>(counts[1][1]), static_cast<double>(counts[0][1]), static_cast<double>(counts[1][0]),
          static_cast<double>(counts[0][0])};
}

/// p' = (p − offset) / spread of a map, with its mean.
struct Stretch {
  double offset = 0, spread = 1, mean = 0;
  double operator()(double p) const { return (p - offset) / spread; }
};

Stretch stretchOf(std::span<const float> probabilities) {
  const auto [least, most] = std::minmax_element(probabilities.begin(), probabilities.end());
  Stretch stretch;
  if (*most > *least) stretch = {*least, static_cast<double>(*most) - *least, 0};
  for (const float p : probabilities) stretch.mean += stretch(p);
  stretch.mean /= static_cast<double>(probabilities.size());
  return stretch;
}

/// Two histograms of 256 levels, summed from the top, hold the four counts of every threshold: O(N + 256).
EnhancedAlignmentCurve curveOf(std::span<const float> probabilities, std::span<const uint8_t> truth,
                               const Stretch& stretch) {
  std::array<std::array<int64_t, 256>, 2> histograms{};  // [truth][level]
  std::array<double, 2> pixels{};
  for (size_t i = 0; i < truth.size(); ++i) {
    const double level = std::floor(stretch(probabilities[i]) * 255);
    const bool lesion = truth[i] != 0;
    ++histograms[lesion][static_cast<size_t>(std::clamp(level, 0.0, 255.0))];
    ++pixels[lesion];
  }
  EnhancedAlignmentCurve curve{};
  Confusion counts;
  for (size_t t = 256; t-- > 0;) {
    counts.truePositive += static_cast<double>(histograms[1][t]);
    counts.falsePositive += static_cast<double>(histograms[0][t]);
    counts.falseNegative = pixels[1] - counts.truePositive;
    counts.trueNegative = pixels[0] - counts.falsePositive;
    curve[t] = enhancedAlignment(counts);
  }
  return curve;
}

double mean(const EnhancedAlignmentCurve& curve) {
  return std::accumulate(curve.begin(), curve.end(), 0.0) / static_cast<double>(curve.size());
}

ImageScores scoresOf(std::span<const float> probabilities, std::span<const uint8_t> truth,
                     const std::optional<PixelGrid>& grid) {
  requireComparable(probabilities, truth.size(), "pixels of truth");
  double sum = 0, error = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double p = probabilities[i];
    sum += p;
    error += std::abs(p - (truth[i] != 0));
  }
  const double pixels = static_cast<double>(truth.size());
  const double twiceMean = 2 * sum / pixels;
  const Stretch stretch = stretchOf(probabilities);
  const double adaptive = std::min(2 * stretch.mean, 1.0);
  ImageScores scores{};
  scores.fixed = confusionOf(probabilities, truth, [](double p) { return p > 0.5; });
  scores.iouAdaptive =
      intersectionOverUnion(confusionOf(probabilities, truth, [&](double p) { return p > twiceMean; }));
  scores.eMeasure =
      enhancedAlignment(confusionOf(probabilities, truth, [&](double p) { return stretch(p) >= adaptive; }));
  scores.mae = error / pixels;
  scores.curve = curveOf(probabilities, truth, stretch);
  if (!grid) return scores;
  std::vector<uint8_t> found(truth.size());
  for (size_t i = 0; i < found.size(); ++i) found[i] = static_cast<double>(probabilities[i]) > 0.5;
  scores.surface = surfaceDistance(found, truth, *grid, kSurfaceTolerance);
  scores.surfaceInMm = grid->inMm;
  return scores;
}

const char* nameOfHd95(const ImageScores& scores) { return scores.surfaceInMm ? "hd95Mm" : "hd95Pixels"; }

/// Ranks from 1; equal scores share the mean of theirs. The sum of the positives' ranks gives the area (Mann-Whitney).
double areaUnderCurve(std::span<const float> scores, std::span<const uint8_t> labels) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double rankSum = 0, positives = 0;
  for (size_t first = 0, last; first < order.size(); first = last) {
    for (last = first + 1; last < order.size() && scores[order[last]] == scores[order[first]];) ++last;
    const double rank = static_cast<double>(first + 1 + last) / 2;
    for (size_t i = first; i < last; ++i) {
      if (!labels[order[i]]) continue;
      rankSum += rank;
      ++positives;
    }
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  return ratio(rankSum - positives * (positives + 1) / 2, positives * negatives);
}

}  // namespace

Metrics segmentationMetrics(std::span<const float> probabilities, std::span<const uint8_t> truth,
                            const std::optional<PixelGrid>& grid) {
  const ImageScores scores = scoresOf(probabilities, truth, grid);
  Metrics metrics{{"dice", dice(scores.fixed)},
                  {"iou", intersectionOverUnion(scores.fixed)},
                  {"iouAdaptive", scores.iouAdaptive},
                  {"eMeasure", scores.eMeasure},
                  {"eMeasureMean", mean(scores.curve)},
                  {"eMeasureMax", *std::max_element(scores.curve.begin(), scores.curve.end())},
                  {"mae", scores.mae},
                  {"sensitivity", sensitivity(scores.fixed)},
                  {"specificity", specificity(scores.fixed)}};
  if (scores.surface) {
    metrics[nameOfHd95(scores)] = scores.surface->hd95;
    metrics["nsd"] = scores.surface->nsd;
  }
  return metrics;
}

void MetricMeans::add(const std::string& name, double value) {
  Mean& mean = means_[name];
  if (std::isnan(value)) return;
  mean.sum += value;
  ++mean.count;
}

void MetricMeans::add(const Metrics& metrics) {
  for (const auto& [name, value] : metrics) add(name, value);
}

Metrics MetricMeans::result() const {
  Metrics metrics;
  for (const auto& [name, mean] : means_) metrics[name] = ratio(mean.sum, mean.count);
  return metrics;
}

void SegmentationScores::add(std::span<const float> probabilities, std::span<const uint8_t> truth,
                             const std::optional<PixelGrid>& grid) {
  images_.push_back(scoresOf(probabilities, truth, grid));
}

Metrics SegmentationScores::result() const {
  std::vector<size_t> all(images_.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return result(all);
}

Metrics SegmentationScores::last() const {
  const Confusion& counts = images_.back().fixed;
  return {{"dice", dice(counts)}, {"iou", intersectionOverUnion(counts)}};
}

Metrics SegmentationScores::result(std::span<const size_t> images) const {
  if (images.empty()) return {};
  MetricMeans means;
  EnhancedAlignmentCurve curve{};
  Confusion pooled;
  int64_t emptyTruth = 0;
  for (const size_t i : images) {
    const ImageScores& scores = images_[i];
    const bool empty = scores.emptyTruth();
    means.add("dice", empty ? kUndefined : dice(scores.fixed));
    means.add("iou", empty ? kUndefined : intersectionOverUnion(scores.fixed));
    means.add("iouAdaptive", empty ? kUndefined : scores.iouAdaptive);
    means.add("diceEmptyAsOne", dice(scores.fixed));
    means.add("eMeasure", scores.eMeasure);
    means.add("mae", scores.mae);
    means.add("sensitivity", sensitivity(scores.fixed));
    means.add("specificity", specificity(scores.fixed));
    if (scores.surface) {
      means.add(nameOfHd95(scores), scores.surface->hd95);
      means.add("nsd", empty ? kUndefined : scores.surface->nsd);
    }
    for (size_t t = 0; t < curve.size(); ++t) curve[t] += scores.curve[t];
    pooled.truePositive += scores.fixed.truePositive;
    pooled.falsePositive += scores.fixed.falsePositive;
    pooled.falseNegative += scores.fixed.falseNegative;
    pooled.trueNegative += scores.fixed.trueNegative;
    emptyTruth += empty;
  }
  Metrics metrics = means.result();
  const auto count = static_cast<double>(images.size());
  metrics["eMeasureMean"] = mean(curve) / count;
  metrics["eMeasureMax"] = *std::max_element(curve.begin(), curve.end()) / count;
  metrics["dicePooled"] = dice(pooled);
  const double wrong = pooled.falsePositive + pooled.falseNegative;
  metrics["mIoU"] = (pooled.truePositive / (pooled.truePositive + wrong + kMiniSegEpsilon) +
                     pooled.trueNegative / (pooled.trueNegative + wrong + kMiniSegEpsilon)) /
                    2;
  metrics["images"] = count;
  metrics["emptyTruth"] = static_cast<double>(emptyTruth);
  return metrics;
}

Metrics classificationMetrics(std::span<const float> probabilities, std::span<const uint8_t> labels, double threshold) {
  requireLabelled(probabilities, labels);
  require(std::isfinite(threshold), errors::kInvalidArgument, "threshold must be a finite number");
  const Confusion c = confusionOf(probabilities, labels, [&](double p) { return p > threshold; });
  return {{"accuracy", (c.truePositive + c.trueNegative) / static_cast<double>(labels.size())},
          {"sensitivity", sensitivity(c)},
          {"specificity", specificity(c)},
          {"f1", ratio(2 * c.truePositive, 2 * c.truePositive + c.falsePositive + c.falseNegative)},
          {"auc", areaUnderCurve(probabilities, labels)},
          {"ece", expectedCalibrationError(reliabilityDiagram(probabilities, labels))}};
}

}  // namespace jcs::metrics
