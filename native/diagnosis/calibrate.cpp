#include "diagnosis/calibrate.h"

#include <cmath>

namespace jcs::diagnosis {

namespace {

CalibrationScores scoresAt(double temperature, std::span<const double> logOdds, std::span<const uint8_t> labels) {
  std::vector<float> probabilities;
  for (const double odds : logOdds)
    probabilities.push_back(static_cast<float>(1 / (1 + std::exp(-odds / temperature))));
  return {metrics::negativeLogLikelihood(logOdds, labels, temperature),
          metrics::expectedCalibrationError(metrics::reliabilityDiagram(probabilities, labels))};
}

}  // namespace

Calibration calibrate(model::Model& model, const data::SliceStore& dataset, const EvaluationOptions& options,
                      const EvaluationProgress& progress, const std::atomic<bool>* cancelled) {
  ClassifierEvaluationOptions evaluation{options};
  evaluation.bootstrap.resamples = 0;
  const std::vector<double> all = evaluateClassifier(model, dataset, evaluation, progress, cancelled).logOdds;
  std::vector<double> logOdds;
  std::vector<uint8_t> labels;
  for (size_t i = 0; i < all.size(); ++i) {
    const int label = dataset.info(i).label;
    if (label < 0) continue;
    logOdds.push_back(all[i]);
    labels.push_back(static_cast<uint8_t>(label));
  }
  const double before = model.metadata().temperature, fitted = metrics::fitTemperature(logOdds, labels);
  model.setTemperature(fitted);
  return {fitted, fitted == metrics::kLowestTemperature || fitted == metrics::kHighestTemperature, std::ssize(labels),
          scoresAt(before, logOdds, labels), scoresAt(fitted, logOdds, labels)};
}

}  // namespace jcs::diagnosis
