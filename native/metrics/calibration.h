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

/// Probabilities of class 1 are the sigmoid of log-odds divided by a temperature. These are its limits: a fit that
/// wants to go beyond one says that the log-odds separate the labels entirely, or tell nothing of them.
inline constexpr double kLowestTemperature = 0.05, kHighestTemperature = 20;

/// Of class 1.
double probabilityOf(double logOdds, double temperature);

/// In nats, the mean over samples.
double negativeLogLikelihood(std::span<const double> logOdds, std::span<const uint8_t> labels, double temperature);

/// The temperature of the least negative log-likelihood (Guo et al., section 4.2), within its limits. SHAPE_MISMATCH
/// for unequal counts, INVALID_ARGUMENT where a label is missing.
double fitTemperature(std::span<const double> logOdds, std::span<const uint8_t> labels);

}  // namespace jcs::metrics
