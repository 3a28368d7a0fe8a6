#include "diagnosis/case_rule.h"

#include <cmath>

#include "native/error_code.h"
#include "native/harness.h"

using namespace jcs;

TEST("case rule: positive with more positive slices than the threshold, and no fewer") {
  const std::vector<float> probabilities{0.5f, 0.51f, 0.9f, 0.1f};
  const diagnosis::CaseDecision two = diagnosis::decideCase(probabilities, {0.5, 1});
  CHECK(two.positive && two.positiveSlices == 2);  // 0.5 itself does not exceed 0.5
  CHECK(!diagnosis::decideCase(probabilities, {0.5, 2}).positive);
  CHECK_EQUAL(diagnosis::decideCase(probabilities, {0, 0}).positiveSlices, int64_t{4});
  CHECK(codeOf([] { diagnosis::decideCase({}, {}); }) == errors::kEmptyDataset);
}

TEST("case rule: cases unlike those of the calibration are remarked on") {
  CHECK_EQUAL(diagnosis::decideCase(std::vector<float>(250), {0.5, 25}).warnings.size(), size_t{0});
  const auto few = diagnosis::decideCase(std::vector<float>(26), {0.5, 25}).warnings;
  CHECK(few.size() == 1 && few[0].find("26 slices") != std::string::npos);
  const auto hopeless = diagnosis::decideCase(std::vector<float>(25, 1.0f), {0.5, 25}).warnings;
  CHECK(hopeless.size() == 2 && hopeless[0].find("can never be positive") != std::string::npos);
  CHECK(codeOf([] { diagnosis::requireDecidable(25, 25); }) == errors::kCaseTooSmall);
  diagnosis::requireDecidable(26, 25);
}

TEST("case rule: patients are scored as table IV scores them") {
  // positive slices 30, 20, 10 of infected patients and 26, 0 of uninfected ones
  const std::vector<diagnosis::PatientCase> cases{
      {"a", true, 300, 30}, {"b", true, 300, 20}, {"c", true, 300, 10}, {"d", false, 300, 26}, {"e", false, 300, 0}};
  const diagnosis::CaseScores at25 = diagnosis::scoreCases(cases, 25);
  CHECK_NEAR(at25.metrics.at("sensitivity"), 1.0 / 3, 1e-15);
  CHECK_NEAR(at25.metrics.at("specificity"), 0.5, 1e-15);
  CHECK_NEAR(at25.metrics.at("accuracy"), 0.4, 1e-15);
  const diagnosis::CaseScores at30 = diagnosis::scoreCases(cases, 30);
  CHECK(at30.metrics.at("sensitivity") == 0 && at30.metrics.at("specificity") == 1 && at30.sliceThreshold == 30);
  const diagnosis::CaseScores infectedAlone = diagnosis::scoreCases(std::span(cases).first(3), 15);
  CHECK_NEAR(infectedAlone.metrics.at("sensitivity"), 2.0 / 3, 1e-15);
  CHECK(std::isnan(infectedAlone.metrics.at("specificity")));
}

TEST("case rule: intervals of case scores are over patients") {
  // Of an infected patient that is found and one that is not, two draws find 0, 1/2 or all.
  const std::vector<diagnosis::PatientCase> cases{{"a", true, 300, 30}, {"b", true, 300, 20}};
  const diagnosis::CaseScores scores = diagnosis::scoreCases(cases, 25, {.resamples = 4000});
  const auto [low, high] = scores.intervals.at("sensitivity");
  CHECK(low == 0 && high == 1);
  CHECK(!scores.intervals.contains("specificity"));
  CHECK(diagnosis::scoreCases(cases, 25).intervals.empty());
  const diagnosis::CaseScores found = diagnosis::scoreCases(cases, 15, {.resamples = 4000});
  CHECK(found.intervals.at("accuracy").low == 1);
}
