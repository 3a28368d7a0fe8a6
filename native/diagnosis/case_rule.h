#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "metrics/bootstrap.h"

namespace jcs::diagnosis {

/// The paper's joint diagnosis (table IV): a slice is positive when its score exceeds one threshold, a case when more
/// of its slices are positive than another says. The paper's score is the probability of infection; without a
/// classifier it is the area of the lesions.
struct CaseRule {
  double scoreThreshold = 0.5;
  int64_t sliceThreshold = 0;
  bool isPhysical = false;  ///< `sliceThreshold` came from millimetres, so it suits any distance of slices

  bool isPositiveSlice(float score) const { return static_cast<double>(score) > scoreThreshold; }
  bool isPositiveCase(int64_t positiveSlices) const { return positiveSlices > sliceThreshold; }
};

struct CaseDecision {
  bool positive = false;
  int64_t positiveSlices = 0;
  std::vector<std::string> warnings;  ///< full sentences, of cases unlike those that thresholds were calibrated on
};

/// `scores`: one a slice. EMPTY_DATASET without slices.
CaseDecision decideCase(std::span<const float> scores, const CaseRule& rule);

/// CASE_TOO_SMALL for a case that could not be positive whatever it showed, under a threshold that its caller did not
/// choose.
void requireDecidable(int64_t slices, int64_t defaultSliceThreshold);

/// A patient's slices in an evaluation.
struct PatientCase {
  std::string patient;
  bool infected = false;  ///< any slice is
  int64_t slices = 0, positiveSlices = 0;
};

/// How cases come out under one slice threshold.
struct CaseScores {
  int64_t sliceThreshold = 0;
  metrics::Metrics metrics;  ///< accuracy, sensitivity, specificity; NaN where a class is missing
  metrics::Intervals intervals;
};
CaseScores scoreCases(std::span<const PatientCase> cases, int64_t sliceThreshold,
                      const metrics::BootstrapOptions& bootstrap = {.resamples = 0});

}  // namespace jcs::diagnosis
