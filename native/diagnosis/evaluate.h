#pragma once

#include <functional>

#include "data/packed_dataset.h"
#include "diagnosis/inference.h"
#include "metrics/metrics.h"

namespace jcs {

/// Called after each batch with how many samples are through.
using EvaluationProgress = std::function<void(size_t done, size_t total)>;

/// Runs the model over every sample and scores it at the source's resolution. Classifiers: the scores of
/// classificationMetrics over the labelled samples; segmenters: those of SegmentationScores over the samples with
/// masks. EMPTY_DATASET when there are none.
Metrics evaluate(Model& model, const PackedDataset& dataset, int64_t batchSize, const EvaluationProgress& progress,
                 const std::atomic<bool>* cancelled);

/// The same for a classifier, sample by sample: probabilities of infection in the order of the dataset.
std::vector<float> infectionProbabilities(Model& model, const PackedDataset& dataset, int64_t batchSize,
                                          const EvaluationProgress& progress, const std::atomic<bool>* cancelled);

}  // namespace jcs
