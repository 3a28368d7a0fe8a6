#include "diagnosis/evaluate.h"

#include <algorithm>

namespace jcs {

namespace {

struct ScoredBatch {
  std::vector<Sample> samples;
  std::vector<Slice> slices;
};

/// Reads samples [first, last) that `wanted` keeps.
template <typename Wanted>
ScoredBatch readBatch(const PackedDataset& dataset, size_t first, size_t last, const Wanted& wanted) {
  ScoredBatch batch;
  for (size_t i = first; i < last; ++i) {
    if (!wanted(dataset.info(i))) continue;
    batch.samples.push_back(dataset.read(i));
    batch.slices.push_back({std::move(batch.samples.back().image), std::nullopt});
  }
  return batch;
}

template <typename Wanted, typename Score>
void overBatches(const PackedDataset& dataset, int64_t batchSize, const EvaluationProgress& progress,
                 const Wanted& wanted, const Score& score) {
  const size_t total = dataset.size();
  for (size_t first = 0; first < total; first += static_cast<size_t>(batchSize)) {
    const size_t last = std::min(total, first + static_cast<size_t>(batchSize));
    const ScoredBatch batch = readBatch(dataset, first, last, wanted);
    if (!batch.slices.empty()) score(batch);
    if (progress) progress(last, total);
  }
}

}  // namespace

std::vector<float> infectionProbabilities(Model& model, const PackedDataset& dataset, int64_t batchSize,
                                          const EvaluationProgress& progress, const std::atomic<bool>* cancelled) {
  std::vector<float> probabilities;
  overBatches(
      dataset, batchSize, progress, [](const PackedDataset::Info&) { return true; },
      [&](const ScoredBatch& batch) {
        for (const auto& result : classifySlices(model, batch.slices, batchSize, false, cancelled))
          probabilities.push_back(result.probability);
      });
  return probabilities;
}

Metrics evaluate(Model& model, const PackedDataset& dataset, int64_t batchSize, const EvaluationProgress& progress,
                 const std::atomic<bool>* cancelled) {
  if (model.task() == Task::kClassification) {
    const std::vector<float> all = infectionProbabilities(model, dataset, batchSize, progress, cancelled);
    std::vector<float> probabilities;
    std::vector<uint8_t> labels;
    for (size_t i = 0; i < dataset.size(); ++i) {
      if (dataset.info(i).label < 0) continue;
      probabilities.push_back(all[i]);
      labels.push_back(static_cast<uint8_t>(dataset.info(i).label));
    }
    require(!labels.empty(), errors::kEmptyDataset, "no sample of the dataset has a label to evaluate against");
    return classificationMetrics(probabilities, labels);
  }
  SegmentationScores scores;
  SegmentationRequest request;
  request.probabilities = true;
  overBatches(
      dataset, batchSize, progress, [](const PackedDataset::Info& info) { return info.hasMask; },
      [&](const ScoredBatch& batch) {
        const auto results = segmentSlices(model, batch.slices, batchSize, request, cancelled);
        for (size_t i = 0; i < results.size(); ++i) scores.add(results[i].probabilities, batch.samples[i].mask);
      });
  const Metrics metrics = scores.result();
  require(!metrics.empty(), errors::kEmptyDataset, "no sample of the dataset has a mask to evaluate against");
  return metrics;
}

}  // namespace jcs
