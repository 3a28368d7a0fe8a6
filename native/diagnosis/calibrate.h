#pragma once

#include "diagnosis/evaluate.h"

namespace jcs::diagnosis {

/// How far probabilities are from what comes of them.
struct CalibrationScores {
  double negativeLogLikelihood, ece;
};

struct Calibration {
  double temperature;
  bool isAtLimit;   ///< of metrics::fitTemperature
  int64_t samples;  ///< that have a label
  CalibrationScores before, after;
};

/// Fits a classifier's temperature to the labelled samples and sets it. INVALID_ARGUMENT for a segmenter and where a
/// label is missing, EMPTY_DATASET; the model keeps its temperature then.
Calibration calibrate(model::Model& model, const data::SliceStore& dataset, int64_t batchSize,
                      const EvaluationProgress& progress, const std::atomic<bool>* cancelled);

}  // namespace jcs::diagnosis
