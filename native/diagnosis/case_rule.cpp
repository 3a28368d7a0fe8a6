#include "diagnosis/case_rule.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace jcs::diagnosis {

namespace {

/// Cases of fewer slices are unlike those that slice thresholds were calibrated on (250 to 400 slices).
constexpr int64_t kCalibratedSlices = 250;

std::vector<std::string> remarks(int64_t slices, const CaseRule& rule) {
  const std::string size = "The case has " + std::to_string(slices) + " slices";
  const std::string threshold = std::to_string(rule.sliceThreshold);
  std::vector<std::string> warnings;
  if (slices <= rule.sliceThreshold)
    warnings.push_back(size + ", so more than " + threshold +
                       " can never be positive: it is negative whatever it shows.");
  if (slices < kCalibratedSlices && !rule.isPhysical)
    warnings.push_back(size + "; slice thresholds were calibrated on cases of 250 to 400 thin slices, and " +
                       threshold + " may not suit it.");
  return warnings;
}

double share(std::ptrdiff_t part, std::ptrdiff_t whole) {
  return whole == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

CaseDecision decideCase(std::span<const float> scores, const CaseRule& rule) {
  require(!scores.empty(), errors::kEmptyDataset, "the case has no slices");
  CaseDecision decision;
  decision.positiveSlices = std::ranges::count_if(scores, [&](float score) { return rule.isPositiveSlice(score); });
  decision.positive = rule.isPositiveCase(decision.positiveSlices);
  decision.warnings = remarks(static_cast<int64_t>(scores.size()), rule);
  return decision;
}

void requireDecidable(int64_t slices, int64_t defaultSliceThreshold) {
  require(slices > defaultSliceThreshold, errors::kCaseTooSmall, [&] {
    return "the case has " + std::to_string(slices) + " slices, and the default asks for more than " +
           std::to_string(defaultSliceThreshold) +
           " positive ones, so it would be negative whatever it shows; give a sliceThreshold that suits its slice "
           "thickness";
  });
}

CaseScores scoreCases(std::span<const PatientCase> cases, int64_t sliceThreshold,
                      const metrics::BootstrapOptions& bootstrap) {
  const CaseRule rule{.sliceThreshold = sliceThreshold};
  const auto score = [&](std::span<const size_t> drawn) -> metrics::Metrics {
    int64_t infected = 0, truePositive = 0, trueNegative = 0;
    for (const size_t i : drawn) {
      const bool isFound = rule.isPositiveCase(cases[i].positiveSlices);
      infected += cases[i].infected;
      truePositive += cases[i].infected && isFound;
      trueNegative += !cases[i].infected && !isFound;
    }
    const auto count = std::ssize(drawn);
    return {{"accuracy", share(truePositive + trueNegative, count)},
            {"sensitivity", share(truePositive, infected)},
            {"specificity", share(trueNegative, count - infected)}};
  };
  std::vector<size_t> all(cases.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return {sliceThreshold, score(all), metrics::intervalsOf(metrics::bootstrap(all, bootstrap, score))};
}

}  // namespace jcs::diagnosis
