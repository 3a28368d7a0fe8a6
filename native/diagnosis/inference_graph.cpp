#include "diagnosis/inference_graph.h"

#include "networks/registry.h"
#include "nn/normalize.h"

namespace jcs::diagnosis {

namespace {

Value addImages(Graph& graph, const model::ModelMetadata& metadata, int64_t n, const SourceCapacity& capacity) {
  const NodeLabel label(graph, "source");
  const Value bytes = graph.input(kSourceBytesInput, {capacity.bytes});
  const Value sources = graph.input(kSourcesInput, {n});
  return normalize(pixelsToImages(bytes, sources, metadata.inputSize, metadata.inputSize), metadata.mean,
                   metadata.deviation);
}

}  // namespace

std::unique_ptr<Graph> classificationGraph(const model::ModelMetadata& metadata, int64_t n,
                                           const SourceCapacity& capacity, bool withActivationMap) {
  auto graph = std::make_unique<Graph>();
  networks::addInferenceOutputs(*graph, addImages(*graph, metadata, n, capacity), metadata.spec, withActivationMap);
  return graph;
}

std::unique_ptr<Graph> segmentationGraph(const model::ModelMetadata& metadata, int64_t n,
                                         const SourceCapacity& capacity, bool withProbabilities) {
  auto graph = std::make_unique<Graph>();
  const Value image = addImages(*graph, metadata, n, capacity);
  const networks::SegmenterOutputs network = networks::buildSegmenter(Scope(*graph), image, metadata.spec);
  const NodeLabel label(*graph, "mask");
  const Value targets = graph->input(kTargetsInput, {n});
  const auto results = mapsToSources(networks::prediction(network), targets, capacity.pixels, withProbabilities);
  graph->output(kMasksOutput, results[0]);
  graph->output(kStatisticsOutput, results[1]);
  if (withProbabilities) graph->output(kProbabilitiesOutput, results[2]);
  return graph;
}

}  // namespace jcs::diagnosis
