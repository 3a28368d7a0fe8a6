#include "diagnosis/inference_graph.h"

#include <algorithm>

#include "networks/registry.h"
#include "nn/activation_map.h"
#include "nn/normalize.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/resize.h"

namespace jcs::diagnosis {

namespace {

using FlippedAxes = std::vector<int64_t>;

/// The means of what `see(images, flippedAxes)` gives over all views. It gets images that are flipped along these axes,
/// and flips back what lies as the image does.
template <typename See>
std::vector<Value> averageOverViews(Graph& graph, const model::ModelMetadata& metadata, int64_t n,
                                    const SourceCapacity& capacity, const TestTimeAugmentation& testTime,
                                    const See& see) {
  const Value bytes = graph.input(kSourceBytesInput, {capacity.bytes});
  std::vector<Value> sums;
  int views = 0;
  const auto add = [&](std::vector<Value> results) {
    for (size_t i = 0; views > 0 && i < results.size(); ++i) results[i] = jcs::add(sums[i], results[i]);
    sums = std::move(results);
    ++views;
  };
  const std::vector<int64_t> sizes = testTime.inputSizes(metadata.inputSize);
  for (size_t s = 0; s < sizes.size(); ++s) {
    const auto images = [&] {
      const NodeLabel label(graph, "source");
      const Value sources = graph.input(kSourcesInputs[s], {n});
      return normalize(pixelsToImages(bytes, sources, sizes[s], sizes[s]), metadata.mean, metadata.deviation);
    }();
    for (const FlippedAxes& axes : testTime.flips()) add(see(flip(images, axes), axes));
  }
  if (views > 1)
    for (Value& sum : sums) sum = multiply(sum, 1.0f / static_cast<float>(views));
  return sums;
}

}  // namespace

std::unique_ptr<Graph> classificationGraph(const model::ModelMetadata& metadata, int64_t n,
                                           const SourceCapacity& capacity, bool withActivationMap,
                                           const TestTimeAugmentation& testTime) {
  auto graph = std::make_unique<Graph>();
  const networks::NetworkSpec& spec = metadata.spec;
  std::optional<Shape> firstMap;
  const auto see = [&](Value images, const FlippedAxes& axes) {
    const networks::ClassifierOutputs network = networks::buildClassifier(Scope(*graph), images, spec);
    std::vector<Value> results{network.logits};
    if (!withActivationMap) return results;
    const Value map = flip(activationMap(network.features, network.headWeight, spec.variant), axes);
    if (!firstMap) firstMap = map.shape();
    results.push_back(resize(map, (*firstMap)[1], (*firstMap)[2]));
    return results;
  };
  const auto results = averageOverViews(*graph, metadata, n, capacity, testTime, see);
  graph->output(networks::kLogitsOutput, results[0]);
  if (withActivationMap) graph->output(networks::kActivationMapOutput, results[1]);
  return graph;
}

std::unique_ptr<Graph> segmentationGraph(const model::ModelMetadata& metadata, int64_t n,
                                         const SourceCapacity& capacity, bool withProbabilities,
                                         const TestTimeAugmentation& testTime) {
  auto graph = std::make_unique<Graph>();
  const int64_t largest = std::ranges::max(testTime.inputSizes(metadata.inputSize));
  const auto see = [&](Value images, const FlippedAxes& axes) {
    const networks::SegmenterOutputs network = networks::buildSegmenter(Scope(*graph), images, metadata.spec);
    return std::vector{resize(flip(networks::prediction(network), axes), largest, largest)};
  };
  const Value probabilities = averageOverViews(*graph, metadata, n, capacity, testTime, see)[0];
  const NodeLabel label(*graph, "mask");
  const Value targets = graph->input(kTargetsInput, {n});
  const auto results = mapsToSources(probabilities, targets, capacity.pixels, withProbabilities);
  graph->output(kMasksOutput, results[0]);
  graph->output(kStatisticsOutput, results[1]);
  if (withProbabilities) graph->output(kProbabilitiesOutput, results[2]);
  return graph;
}

}  // namespace jcs::diagnosis
