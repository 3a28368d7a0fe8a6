#include <algorithm>
#include <cmath>
#include <vector>

#include "core/philox.h"
#include "metrics/calibration.h"
#include "native/error_code.h"
#include "native/harness.h"

using namespace jcs;

TEST("temperature: log-odds of one size mean what comes of them") {
  // Of log-odds ±a of which a share q is right, the least likelihood is where sigmoid(a / T) = q.
  for (const auto& [size, right] : {std::pair{4.0, 90}, std::pair{1.0, 90}, std::pair{3.0, 60}, std::pair{0.5, 51}}) {
    std::vector<double> logOdds;
    std::vector<uint8_t> labels;
    for (int i = 0; i < 200; ++i) {
      const bool positive = i % 2 == 0, isRight = i / 2 < right;
      labels.push_back(positive);
      logOdds.push_back(positive == isRight ? size : -size);
    }
    const double share = right / 100.0, expected = size / std::log(share / (1 - share));
    const double fitted = metrics::fitTemperature(logOdds, labels);
    CHECK(std::abs(fitted - std::min(expected, metrics::kHighestTemperature)) < 1e-9 * expected);
    const double entropy = -share * std::log(share) - (1 - share) * std::log(1 - share);
    CHECK(std::abs(metrics::negativeLogLikelihood(logOdds, labels, expected) - entropy) < 1e-12);
  }
}

TEST("temperature: among mixed log-odds nothing near is likelier, and overflow does not happen") {
  Philox random(3, 0, 0, RandomPurpose::kInitialise);
  std::vector<double> logOdds;
  std::vector<uint8_t> labels;
  for (int i = 0; i < 500; ++i) {
    // Labels drawn as if the temperature were 2.5.
    const double odds = static_cast<double>(random.uniform(-12, 12));
    logOdds.push_back(odds);
    labels.push_back(static_cast<double>(random.uniform()) < 1 / (1 + std::exp(-odds / 2.5)));
  }
  const double fitted = metrics::fitTemperature(logOdds, labels);
  CHECK(std::abs(fitted - 2.5) < 0.5);
  const double least = metrics::negativeLogLikelihood(logOdds, labels, fitted);
  for (const double factor : {0.9, 0.999, 1.001, 1.1})
    CHECK(metrics::negativeLogLikelihood(logOdds, labels, fitted * factor) > least);
  for (double& odds : logOdds) odds *= 1e4;
  CHECK(metrics::fitTemperature(logOdds, labels) == metrics::kHighestTemperature);
  CHECK(std::isfinite(metrics::negativeLogLikelihood(logOdds, labels, metrics::kLowestTemperature)));
}

TEST("temperature: its limits, and what has none") {
  const std::vector<double> odds{1, 2, -1, -2};
  const std::vector<uint8_t> separated{1, 1, 0, 0}, opposite{0, 0, 1, 1}, same{1, 1, 1, 1};
  CHECK(metrics::fitTemperature(odds, separated) == metrics::kLowestTemperature);
  CHECK(metrics::fitTemperature(odds, opposite) == metrics::kHighestTemperature);
  CHECK_ERROR([&] { metrics::fitTemperature(odds, same); }, errors::kInvalidArgument, "label 0");
  const std::vector<uint8_t> few{1, 0};
  CHECK_ERROR([&] { metrics::fitTemperature(odds, few); }, errors::kShapeMismatch, "4", "2");
}
