#include "native/image_programs.h"

#include <optional>

#include "cuda_emulation/emulated_backend.h"
#include "native/compiled.h"
#include "train/task_loss.h"

namespace jcs {

namespace {

std::vector<float> floatsOf(const Tensor& tensor) { return {tensor.as<float>().begin(), tensor.as<float>().end()}; }

Tensor bytesTensor(std::span<const std::byte> bytes) {
  Tensor tensor(DType::kU8, {static_cast<int64_t>(bytes.size())});
  std::ranges::copy(bytes, tensor.data());
  return tensor;
}

}  // namespace

const std::vector<std::shared_ptr<Backend>>& pixelBackends() {
  static const std::vector<std::shared_ptr<Backend>> backends{testBackend(), createEmulatedCudaBackend()};
  return backends;
}

std::vector<float> resized(const data::DecodedSlice& slice, int64_t height, int64_t width,
                           std::shared_ptr<Backend> backend) {
  Graph graph;
  const Value bytes = graph.input("bytes", {DType::kU8, {static_cast<int64_t>(slice.pixels.size())}});
  graph.output("y", pixelsToImages(bytes, graph.input("sources", tableOf<ImageRecord>(1)), height, width));
  NamedTensors inputs;
  inputs["bytes"] = bytesTensor(slice.pixels);
  inputs["sources"] = tableTensor(std::vector{data::imageRecord(slice.info, data::kLungWindow, 0, height, width)});
  return floatsOf(CompiledGraph(graph, {}, DType::kF32, 2, std::move(backend)).run(inputs).at("y"));
}

void augment(const data::AugmentationOptions& options, const AugmentedSample& which, int64_t height, int64_t width,
             std::vector<float>& rgb, std::vector<float>& mask) {
  const Augmentation augmentation =
      data::drawAugmentation(options, which.seed, which.epoch, which.sample, height, width);
  std::vector<std::byte> bits(static_cast<size_t>(height * width + 7) / 8);
  for (size_t i = 0; i < mask.size(); ++i)
    if (mask[i] > 0) bits[i / 8] |= std::byte{1} << (i % 8);
  Graph graph;
  const Value augmentations = graph.input("augmentations", tableOf<Augmentation>(1));
  graph.output("rgb", augmentImages(graph.input("x", {DType::kF32, {1, height, width, 3}}), augmentations));
  const Value bytes = graph.input("bytes", {DType::kU8, {static_cast<int64_t>(bits.size())}});
  const Value sources = graph.input("sources", tableOf<ImageRecord>(1));
  graph.output("mask", bitsToMasks(bytes, sources, augmentations, height, width));
  ImageRecord source;
  source.width = static_cast<int32_t>(width);
  source.height = static_cast<int32_t>(height);
  source.maskOffset = 0;
  NamedTensors inputs;
  inputs["x"] = Tensor::fromFloats({1, height, width, 3}, rgb);
  inputs["augmentations"] = tableTensor(std::vector{augmentation});
  inputs["sources"] = tableTensor(std::vector{source});
  inputs["bytes"] = bytesTensor(bits);
  const NamedTensors results = CompiledGraph(graph, {}).run(inputs);
  rgb = floatsOf(results.at("rgb"));
  if (!mask.empty()) mask = floatsOf(results.at("mask"));
}

std::vector<float> cellAverages(std::span<const float> mask, int64_t height, int64_t width, int64_t cellRows,
                                int64_t cellColumns) {
  Graph graph;
  graph.output("y", areaAverage(graph.input("x", {DType::kF32, {1, height, width, 1}}), cellRows, cellColumns));
  NamedTensors inputs;
  inputs["x"] = Tensor::fromFloats({1, height, width, 1}, mask);
  return floatsOf(CompiledGraph(graph, {}).run(inputs).at("y"));
}

struct BatchProgram::State {
  std::optional<train::BatchInputs> inputs;
  std::unique_ptr<CompiledGraph> program, annotated;
};

BatchProgram::~BatchProgram() = default;

BatchProgram::BatchProgram(const data::Loader& loader, const data::LoaderOptions& options, int64_t part)
    : state_(std::make_unique<State>()) {
  networks::NetworkSpec spec;
  spec.network = options.targets ? "res2net50-v1b" : "jcs-segmentation";
  spec.width = 0.05;
  train::TrainConfig config;
  config.task = networks::networkInfo(spec.network).task;
  config.inputSize = options.height;
  config.augmentation = options.augmentation;
  config.mixup.alpha = options.mixupAlpha;
  config.activationLoss = options.activationMasks;
  state_->inputs.emplace(spec, config, data::Normalization{{0, 0, 0}, {1, 1, 1}}, loader);
  const auto samples = part > 0 ? part : static_cast<int64_t>(loader.mostBytes().size()) - 1;
  Graph graph;
  std::optional<BatchPart> ofBatch;
  if (part > 0) ofBatch.emplace();  // what its losses take is not asked for here
  const train::BatchValues values = state_->inputs->source()(graph, samples, ofBatch);
  const std::pair<const char*, Value> named[] = {{"image", values.image},
                                                 {"mask", values.mask},
                                                 {"targets", values.targets},
                                                 {"activationMask", values.activationMask},
                                                 {"activationWeights", values.activationWeights}};
  for (const auto& [name, value] : named)
    if (value) graph.output(name, value);
  state_->program = std::make_unique<CompiledGraph>(graph, NamedTensors());
  if (part > 0 && options.activationMasks)
    state_->annotated = std::make_unique<CompiledGraph>(*state_->inputs->annotatedGraph(part), NamedTensors());
}

BatchProgram::Values BatchProgram::run(const data::Batch& batch, float annotatedRest) {
  compiler::Bindings bindings;
  state_->inputs->bind(batch, bindings);
  bindings.input(train::BatchInputs::kAnnotatedRestInput, {&annotatedRest, 1});
  NamedTensors results = state_->program->run(bindings);
  return {std::move(results["image"]), std::move(results["mask"]), std::move(results["targets"]),
          std::move(results["activationMask"]), std::move(results["activationWeights"])};
}

float BatchProgram::annotated(const data::Batch& part) {
  compiler::Bindings bindings;
  state_->inputs->bind(part, bindings);
  return state_->annotated->run(bindings).at("annotated").as<float>()[0];
}

}  // namespace jcs
