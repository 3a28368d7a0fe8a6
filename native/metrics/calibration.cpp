#include "metrics/calibration.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "metrics/comparable.h"

namespace jcs::metrics {

std::vector<ReliabilityBin> reliabilityDiagram(std::span<const float> probabilities, std::span<const uint8_t> labels,
                                               int64_t bins) {
  requireLabelled(probabilities, labels);
  require(bins >= 1 && bins <= 1000, errors::kInvalidArgument,
          [&] { return "bins must be between 1 and 1000, got " + std::to_string(bins); });
  const auto count = static_cast<double>(bins);
  std::vector<ReliabilityBin> diagram;
  for (int64_t i = 0; i < bins; ++i)
    diagram.push_back({static_cast<double>(i) / count, static_cast<double>(i + 1) / count, 0, 0, 0});
  for (size_t i = 0; i < labels.size(); ++i) {
    const double place = std::ceil(static_cast<double>(probabilities[i]) * count) - 1;
    ReliabilityBin& bin = diagram[static_cast<size_t>(std::clamp(place, 0.0, count - 1))];
    ++bin.samples;
    bin.meanProbability += probabilities[i];
    bin.positives += labels[i];
  }
  for (ReliabilityBin& bin : diagram) {  // 0 / 0 is NaN
    bin.meanProbability /= static_cast<double>(bin.samples);
    bin.positives /= static_cast<double>(bin.samples);
  }
  return diagram;
}

double expectedCalibrationError(std::span<const ReliabilityBin> bins) {
  double sum = 0, samples = 0;
  for (const ReliabilityBin& bin : bins) {
    if (bin.samples == 0) continue;
    sum += static_cast<double>(bin.samples) * std::abs(bin.meanProbability - bin.positives);
    samples += static_cast<double>(bin.samples);
  }
  return sum / samples;
}

namespace {

/// How far a sample's log-odds are on the side of its label.
double marginOf(double logOdds, uint8_t label) { return label == 1 ? logOdds : -logOdds; }

}  // namespace

double probabilityOf(double logOdds, double temperature) { return 1 / (1 + std::exp(-logOdds / temperature)); }

double negativeLogLikelihood(std::span<const double> logOdds, std::span<const uint8_t> labels, double temperature) {
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double margin = marginOf(logOdds[i], labels[i]) / temperature;
    sum += std::log1p(std::exp(-std::abs(margin))) + std::max(-margin, 0.0);
  }
  return sum / static_cast<double>(labels.size());
}

double fitTemperature(std::span<const double> logOdds, std::span<const uint8_t> labels) {
  require(logOdds.size() == labels.size(), errors::kShapeMismatch, [&] {
    return std::to_string(logOdds.size()) + " log-odds for " + std::to_string(labels.size()) + " labels";
  });
  for (const uint8_t label : {0, 1})
    require(std::ranges::find(labels, label) != labels.end(), errors::kInvalidArgument, [&] {
      return "a temperature needs samples of both labels, none of these has label " + std::to_string(label);
    });
  // In 1/temperature the likelihood is convex, and this its slope, which falls as the temperature rises.
  const auto slope = [&](double temperature) {
    double sum = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      const double margin = marginOf(logOdds[i], labels[i]);
      sum -= margin * probabilityOf(-margin, temperature);
    }
    return sum;
  };
  double low = kLowestTemperature, high = kHighestTemperature;
  if (slope(low) <= 0) return low;
  if (slope(high) >= 0) return high;
  for (int halving = 0; halving < 100; ++halving) {
    const double middle = std::sqrt(low * high);
    (slope(middle) > 0 ? low : high) = middle;
  }
  return std::sqrt(low * high);
}

}  // namespace jcs::metrics
