#include "diagnosis/evaluate.h"

#include <algorithm>
#include <map>
#include <utility>

#include "measure/lesions.h"
#include "metrics/explanation.h"

namespace jcs::diagnosis {

namespace {

/// Batches of the samples that `wanted` keeps, as `SliceSelection`s.
template <typename Wanted, typename Score>
void overBatches(const data::SliceStore& dataset, int64_t batchSize, const EvaluationProgress& progress,
                 const Wanted& wanted, const Score& score) {
  const size_t total = dataset.size();
  bool isFirst = true;
  for (size_t first = 0; first < total; first += static_cast<size_t>(batchSize)) {
    const size_t last = std::min(total, first + static_cast<size_t>(batchSize));
    std::vector<size_t> batch;
    for (size_t i = first; i < last; ++i)
      if (wanted(dataset.info(i))) batch.push_back(i);
    if (!batch.empty()) score(SliceSelection{dataset, batch, !std::exchange(isFirst, false)});
    if (progress) progress(last, total);
  }
}

metrics::PixelGrid gridOf(const data::SliceInfo& slice) {
  if (!slice.spacing) return {slice.height, slice.width};
  return {slice.height, slice.width, slice.spacing->row, slice.spacing->column, true};
}

SliceScores scoresOf(size_t index, const metrics::Metrics& metrics, const data::SliceInfo& slice,
                     std::span<const uint8_t> mask) {
  SliceScores scores{.index = index, .dice = metrics.at("dice"), .iou = metrics.at("iou")};
  for (const measure::Lesion& lesion : measure::findLesions(mask, slice.width, slice.height)) {
    ++scores.lesions;
    scores.areaPixels += lesion.areaPixels;
  }
  if (slice.spacing) scores.areaMm2 = static_cast<double>(scores.areaPixels) * slice.spacing->pixelAreaMm2();
  return scores;
}

void requireGoingOn(const std::atomic<bool>* cancelled) {
  require(cancelled == nullptr || !*cancelled, errors::kCancelled, "the evaluation was cancelled");
}

/// Whose each of these samples is, counted from 0; one that names no patient is its own.
std::vector<size_t> patientsOf(const data::SliceStore& dataset, std::span<const size_t> samples) {
  std::vector<size_t> patients;
  std::map<std::string, size_t> known;
  size_t count = 0;
  for (const size_t sample : samples) {
    const std::string& name = dataset.info(sample).patient;
    const auto found = name.empty() ? known.end() : known.find(name);
    patients.push_back(found == known.end() ? count++ : found->second);
    if (!name.empty()) known.emplace(name, patients.back());
  }
  return patients;
}

std::vector<PatientCase> casesOf(const data::SliceStore& dataset, std::span<const float> probabilities,
                                 const CaseRule& rule) {
  std::vector<PatientCase> cases;
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const data::SliceInfo& sample = dataset.info(i);
    if (sample.patient.empty()) continue;
    const auto [place, isNew] = places.emplace(sample.patient, cases.size());
    if (isNew) cases.push_back({.patient = sample.patient});
    PatientCase& one = cases[place->second];
    ++one.slices;
    one.infected |= sample.label == 1;
    one.positiveSlices += rule.isPositiveSlice(probabilities[i]);
  }
  return cases;
}

}  // namespace

LabelledSamples::LabelledSamples(const data::SliceStore& dataset) {
  for (size_t i = 0; i < dataset.size(); ++i) {
    const int label = dataset.info(i).label;
    if (label < 0) continue;
    indices.push_back(i);
    labels.push_back(static_cast<uint8_t>(label));
  }
  require(!labels.empty(), errors::kEmptyDataset, "no sample of the dataset has a label to evaluate against");
}

ClassifierEvaluation evaluateClassifier(model::Model& model, const data::SliceStore& dataset,
                                        const ClassifierEvaluationOptions& options, const EvaluationProgress& progress,
                                        const std::atomic<bool>* cancelled) {
  ClassifierEvaluation evaluation;
  metrics::MetricMeans explanation;
  const auto isExplained = [&](size_t i) { return options.explain && !dataset.info(i).maskIsEmpty; };
  overBatches(
      dataset, options.batchSize, progress, [](const data::SliceInfo&) { return true; },
      [&](const SliceSelection& batch) {
        const bool maps = std::ranges::any_of(batch.slices, isExplained, &StoredSlice::index);
        const auto results = classifySlices(model, batch, options.batchSize, {maps, options.testTime}, cancelled);
        for (size_t i = 0; i < batch.size(); ++i) {
          const size_t index = batch.slices[i].index;
          evaluation.logOdds.push_back(results[i].logOdds);
          evaluation.probabilities.push_back(results[i].probability);
          if (!isExplained(index)) continue;
          const data::SliceInfo& slice = batch.info(i);
          explanation.add(metrics::explanationMetrics(results[i].activationMap, dataset.mask(index).bytes(),
                                                      dataset.lungs(index).bytes(), slice.width, slice.height));
          ++evaluation.explained;
        }
      });
  evaluation.explanation = explanation.result();
  const LabelledSamples labelled(dataset);
  const std::vector<uint8_t>& labels = labelled.labels;
  const std::vector<float> probabilities = labelled.of(evaluation.probabilities);
  evaluation.metrics = metrics::classificationMetrics(probabilities, labels, options.probabilityThreshold);
  std::vector<float> drawnProbabilities;
  std::vector<uint8_t> drawnLabels;
  evaluation.resamples =
      metrics::bootstrap(patientsOf(dataset, labelled.indices), options.bootstrap, [&](std::span<const size_t> drawn) {
        requireGoingOn(cancelled);
        drawnProbabilities.clear();
        drawnLabels.clear();
        for (const size_t i : drawn) {
          drawnProbabilities.push_back(probabilities[i]);
          drawnLabels.push_back(labels[i]);
        }
        return metrics::classificationMetrics(drawnProbabilities, drawnLabels, options.probabilityThreshold);
      });
  evaluation.reliability = metrics::reliabilityDiagram(probabilities, labels);
  evaluation.cases = casesOf(dataset, evaluation.probabilities, {.scoreThreshold = options.probabilityThreshold});
  for (const int64_t threshold : options.sliceThresholds)
    evaluation.caseScores.push_back(scoreCases(evaluation.cases, threshold, options.bootstrap));
  return evaluation;
}

SegmenterEvaluation evaluateSegmenter(model::Model& model, const data::SliceStore& dataset,
                                      const EvaluationOptions& options, const EvaluationProgress& progress,
                                      const std::atomic<bool>* cancelled) {
  metrics::SegmentationScores scores;
  std::vector<SliceScores> slices;
  SegmentationRequest request;
  request.probabilities = true;
  request.testTime = options.testTime;
  overBatches(
      dataset, options.batchSize, progress, [](const data::SliceInfo& sample) { return sample.hasMask; },
      [&](const SliceSelection& batch) {
        const auto results = segmentSlices(model, batch, options.batchSize, request, cancelled);
        for (size_t i = 0; i < results.size(); ++i) {
          const std::vector<uint8_t> mask = dataset.mask(batch.slices[i].index).bytes();
          scores.add(results[i].probabilities, mask, gridOf(batch.info(i)));
          slices.push_back(scoresOf(batch.slices[i].index, scores.last(), batch.info(i), mask));
        }
      });
  SegmenterEvaluation evaluation{scores.result(), {}, std::move(slices)};
  require(!evaluation.metrics.empty(), errors::kEmptyDataset,
          "no sample of the dataset has a mask to evaluate against");
  std::vector<size_t> scored;
  for (const SliceScores& slice : evaluation.slices) scored.push_back(slice.index);
  evaluation.resamples =
      metrics::bootstrap(patientsOf(dataset, scored), options.bootstrap, [&](std::span<const size_t> drawn) {
        requireGoingOn(cancelled);
        return scores.result(drawn);
      });
  for (const char* count : {"images", "emptyTruth"}) evaluation.resamples.erase(count);
  return evaluation;
}

metrics::Metrics evaluate(model::Model& model, const data::SliceStore& dataset, int64_t batchSize,
                          const EvaluationProgress& progress, const std::atomic<bool>* cancelled) {
  ClassifierEvaluationOptions options;
  options.batchSize = batchSize;
  options.bootstrap.resamples = 0;
  return model.task() == networks::Task::kClassification
             ? evaluateClassifier(model, dataset, options, progress, cancelled).metrics
             : evaluateSegmenter(model, dataset, options, progress, cancelled).metrics;
}

}  // namespace jcs::diagnosis
