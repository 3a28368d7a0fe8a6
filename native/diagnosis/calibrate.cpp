#include "diagnosis/calibrate.h"

namespace jcs::diagnosis {

namespace {

CalibrationScores scoresAt(double temperature, std::span<const double> logOdds, std::span<const uint8_t> labels) {
  std::vector<float> probabilities;
  for (const double odds : logOdds)
    probabilities.push_back(static_cast<float>(metrics::probabilityOf(odds, temperature)));
  return {metrics::negativeLogLikelihood(logOdds, labels, temperature),
          metrics::expectedCalibrationError(metrics::reliabilityDiagram(probabilities, labels))};
}

}  // namespace

Calibration calibrate(model::Model& model, const data::SliceStore& dataset, int64_t batchSize,
                      const EvaluationProgress& progress, const std::atomic<bool>* cancelled) {
  ClassifierEvaluationOptions options;
  options.batchSize = batchSize;
  options.bootstrap.resamples = 0;
  const LabelledSamples labelled(dataset);
  const std::vector<double> logOdds =
      labelled.of(evaluateClassifier(model, dataset, options, progress, cancelled).logOdds);
  const double before = model.metadata().temperature, fitted = metrics::fitTemperature(logOdds, labelled.labels);
  model.setTemperature(fitted);
  return {fitted, fitted == metrics::kLowestTemperature || fitted == metrics::kHighestTemperature, std::ssize(logOdds),
          scoresAt(before, logOdds, labelled.labels), scoresAt(fitted, logOdds, labelled.labels)};
}

}  // namespace jcs::diagnosis
