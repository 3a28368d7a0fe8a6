#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "diagnosis/case_rule.h"
#include "diagnosis/inference.h"
#include "metrics/bootstrap.h"
#include "metrics/calibration.h"
#include "metrics/metrics.h"

namespace jcs::diagnosis {

/// The samples of a dataset that have a label, by index. EMPTY_DATASET when there are none.
struct LabelledSamples {
  std::vector<size_t> indices;
  std::vector<uint8_t> labels;

  explicit LabelledSamples(const data::SliceStore& dataset);
  /// What `all` has, sample by sample, of these.
  template <typename T>
  std::vector<T> of(const std::vector<T>& all) const {
    std::vector<T> chosen;
    for (const size_t i : indices) chosen.push_back(all[i]);
    return chosen;
  }
};

/// Called after each batch with how many samples are through.
using EvaluationProgress = std::function<void(size_t done, size_t total)>;

/// Runs the model over every sample and scores it at the source's resolution. Classifiers: the scores of
/// classificationMetrics over the labelled samples; segmenters: those of SegmentationScores over the samples with
/// masks. EMPTY_DATASET when there are none.
metrics::Metrics evaluate(model::Model& model, const data::SliceStore& dataset, int64_t batchSize,
                          const EvaluationProgress& progress, const std::atomic<bool>* cancelled);

struct EvaluationOptions {
  int64_t batchSize = 16;
  TestTimeAugmentation testTime = {};
  metrics::BootstrapOptions bootstrap = {};  ///< over patients; samples that name none are each their own
};

/// One slice that has a mask: how well it was outlined, and the lesions that it has.
struct SliceScores {
  size_t index = 0;  ///< in the dataset
  double dice = 0, iou = 0;
  int64_t lesions = 0, areaPixels = 0;
  std::optional<double> areaMm2 = std::nullopt;  ///< where the spacing is known
};

struct SegmenterEvaluation {
  metrics::Metrics metrics;
  metrics::Resamples resamples;  ///< of the scores among them
  std::vector<SliceScores> slices;
};

/// The same for a segmenter, with how sure its scores are.
SegmenterEvaluation evaluateSegmenter(model::Model& model, const data::SliceStore& dataset,
                                      const EvaluationOptions& options, const EvaluationProgress& progress,
                                      const std::atomic<bool>* cancelled);

struct ClassifierEvaluation {
  std::vector<double> logOdds;                       ///< of infection, of every sample in the order of the dataset
  std::vector<float> probabilities;                  ///< the same at the model's temperature
  metrics::Metrics metrics;                          ///< over the labelled samples
  metrics::Resamples resamples;                      ///< of these
  std::vector<metrics::ReliabilityBin> reliability;  ///< of the labelled samples
  std::vector<PatientCase> cases;      ///< of the samples that name a patient, in the order in which patients appear
  std::vector<CaseScores> caseScores;  ///< of these, for every slice threshold
  metrics::Metrics explanation;        ///< means of explanationMetrics over the samples whose lesions are known
  int64_t explained = 0;               ///< how many those are
};

struct ClassifierEvaluationOptions : EvaluationOptions {
  double probabilityThreshold = CaseRule().scoreThreshold;  ///< a slice is positive above
  std::vector<int64_t> sliceThresholds = {};                ///< to decide cases by
  bool explain = false;                                     ///< score the activation maps, too
};

/// The same for a classifier, with all that its scores are made from.
ClassifierEvaluation evaluateClassifier(model::Model& model, const data::SliceStore& dataset,
                                        const ClassifierEvaluationOptions& options, const EvaluationProgress& progress,
                                        const std::atomic<bool>* cancelled);

}  // namespace jcs::diagnosis
