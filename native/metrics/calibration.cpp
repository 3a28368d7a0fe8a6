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

}  // namespace jcs::metrics
