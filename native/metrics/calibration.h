#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace jcs::metrics {

/// What came of the samples whose probability is in (low, high]; the first bin has 0 too.
struct ReliabilityBin {
  double low, high;
  int64_t samples = 0;
  double meanProbability, positives;  ///< mean probability and share of label 1; NaN without samples
};

/// As many bins of equal width over [0, 1]: Guo et al., ICML 2017, section 2, of the probability of class 1 and not of
/// the class that is predicted. INVALID_ARGUMENT and NOT_FINITE as classificationMetrics, and for no bins.
std::vector<ReliabilityBin> reliabilityDiagram(std::span<const float> probabilities, std::span<const uint8_t> labels,
                                               int64_t bins = 15);

/// The mean over samples of |mean probability − share of label 1| of their bins: eq. 3 there.
double expectedCalibrationError(std::span<const ReliabilityBin> bins);

}  // namespace jcs::metrics
