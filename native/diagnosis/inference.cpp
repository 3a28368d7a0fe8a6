#include "diagnosis/inference.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "diagnosis/inference_graph.h"
#include "diagnosis/maps.h"
#include "metrics/calibration.h"

namespace jcs::diagnosis {

namespace {

void requireTask(const model::Model& model, networks::Task task, const char* call) {
  require(model.task() == task, errors::kInvalidArgument, [&] {
    return std::string(call) + " needs a " + networks::nameOf(task) + " network, '" + model.spec().network +
           "' is none";
  });
}

/// Programs are compiled for powers of two, so that sources of other sizes seldom need another; and for no less than
/// images of the network's own size come to.
int64_t roundedCapacity(int64_t needed, int64_t n, int64_t inputSize) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max(needed, n * inputSize * inputSize))));
}

/// A batch of slices as the inputs of a program for `n`; the records past the slices are of no image.
struct SourceBatch {
  std::shared_ptr<std::byte> bytes;
  int64_t byteCount = 0;
  std::vector<std::vector<ImageRecord>> sources;  ///< by input size
  std::vector<MapTarget> targets;
  SourceCapacity capacity;
  int64_t pixels = 0;  ///< of all slices

  SourceBatch(const model::ModelMetadata& metadata, const SliceSelection& slices, int64_t n,
              const TestTimeAugmentation& testTime, float threshold, Backend& backend)
      : targets(static_cast<size_t>(n)) {
    const std::vector<int64_t> sizes = testTime.inputSizes(metadata.inputSize);
    sources.assign(sizes.size(), std::vector<ImageRecord>(static_cast<size_t>(n)));
    int64_t& end = byteCount;
    std::vector<int64_t> offsets;
    for (size_t i = 0; i < slices.size(); ++i) {
      const data::SliceInfo& slice = slices.info(i);
      for (size_t s = 0; s < sizes.size(); ++s) {
        const InputGeometry g = inputGeometry(metadata.spec, sizes[s], slice.height, slice.width);
        ImageRecord& record = sources[s][i];
        record = data::imageRecord(slice, metadata.window, end, g.height, g.width);
        record.top = static_cast<int32_t>(g.top);
        record.left = static_cast<int32_t>(g.left);
      }
      targets[i] = {pixels, sources[0][i].width, sources[0][i].height, threshold, 0};
      offsets.push_back(end);
      end += data::alignedSample(slice.imageBytes());
      pixels += slice.width * slice.height;
    }
    offsets.push_back(end);
    bytes = backend.hostMemory(end);
    for (size_t i = 0; i < slices.size(); ++i) {
      std::byte* const first = bytes.get() + offsets[i];
      std::byte* const next = bytes.get() + offsets[i + 1];
      const auto count = static_cast<size_t>(slices.info(i).imageBytes());
      slices.read(i, {first, count});
      std::fill(first + count, next, std::byte{0});
    }
    capacity = {roundedCapacity(end, n, metadata.inputSize), roundedCapacity(pixels, n, metadata.inputSize)};
  }

  void bind(compiler::Bindings& bindings) const {
    bindings.beginning(kSourceBytesInput, {bytes.get(), static_cast<size_t>(byteCount)});
    for (size_t s = 0; s < sources.size(); ++s) bindings.input(kSourcesInputs[s], sources[s]);
  }
};

/// Runs the program of `graph` with `bindings`, to which `bindOutputs` adds, told the program's types.
void runProgram(model::Model& model, const runtime::ProgramKey& key,
                const std::function<std::unique_ptr<Graph>()>& graph, compiler::Bindings& bindings,
                const std::function<void(const compiler::Program&)>& bindOutputs, const std::atomic<bool>* cancelled) {
  model.engine().runAndWait([&] {
    const auto program = model.program(key, graph);
    bindOutputs(*program);
    model.run(*program, bindings, cancelled);
  });
}

/// Weights and pixels are finite when they enter, but a network may overflow on its way.
void requireFiniteOutput(const model::Model& model, bool finite) {
  require(finite, errors::kNotFinite, [&] {
    return "network '" + model.spec().network +
           "' gave a value that is not finite; its weights are unusable, train "
           "with a lower learning rate or load another file";
  });
}

std::span<const float> sample(const Tensor& tensor, size_t index) {
  const auto count = static_cast<size_t>(tensor.elements() / tensor.shape()[0]);
  return tensor.as<float>().subspan(index * count, count);
}

void stretchToUnitRange(std::vector<float>& map) {
  const auto [low, high] = std::ranges::minmax_element(map);
  const float base = *low, range = *high - *low;
  for (float& value : map) value = range > 0 ? (value - base) / range : 0.0f;
}

/// The network's map in source coordinates; what the network did not see is 0.
std::vector<float> mapToSource(const model::ModelMetadata& metadata, std::vector<float> map, int64_t height,
                               int64_t width, const data::SliceInfo& source) {
  // The paper's map is normalised as the network made it, the authors' after it was enlarged.
  const bool early = metadata.spec.variant == Variant::kPaper;
  if (early) stretchToUnitRange(map);
  const int64_t size = metadata.inputSize;
  const InputGeometry g = inputGeometry(metadata.spec, size, source.height, source.width);
  const auto toSource = [](int64_t position, int64_t resized, int64_t extent) {
    return std::clamp<int64_t>(
        std::lround(static_cast<double>(position) * static_cast<double>(extent) / static_cast<double>(resized)), 0,
        extent);
  };
  const int64_t top = toSource(g.top, g.height, source.height), left = toSource(g.left, g.width, source.width);
  const int64_t seenHeight = std::max<int64_t>(1, toSource(g.top + size, g.height, source.height) - top);
  const int64_t seenWidth = std::max<int64_t>(1, toSource(g.left + size, g.width, source.width) - left);
  std::vector<float> seen = resizeMap(map, width, height, seenWidth, seenHeight);
  if (!early) stretchToUnitRange(seen);
  if (seenHeight == source.height && seenWidth == source.width) return seen;
  std::vector<float> whole(static_cast<size_t>(source.height * source.width), 0.0f);
  for (int64_t y = 0; y < seenHeight; ++y)
    std::copy_n(seen.begin() + y * seenWidth, seenWidth, whole.begin() + (y + top) * source.width + left);
  return whole;
}

}  // namespace

int64_t programBatch(const SliceSelection& slices, int64_t batchSize, bool preparesSlowly) {
  const auto count = static_cast<int64_t>(slices.size());
  if (count >= batchSize) return count;
  return slices.isRemainder && preparesSlowly ? batchSize
                                              : std::min(batchSize, static_cast<int64_t>(std::bit_ceil(slices.size())));
}

InputGeometry inputGeometry(const networks::NetworkSpec& spec, int64_t size, int64_t sourceHeight,
                            int64_t sourceWidth) {
  const bool cutsCentre =
      networks::networkInfo(spec.network).task == networks::Task::kClassification && spec.variant == Variant::kAuthors;
  if (!cutsCentre) return {size, size, 0, 0};
  const int64_t shorter = std::lround(static_cast<double>(size) * 256 / 224);
  const bool tall = sourceHeight >= sourceWidth;
  const auto scaled = [&](int64_t extent, int64_t reference) {
    return std::max<int64_t>(size, extent * shorter / std::max<int64_t>(reference, 1));
  };
  const int64_t height = tall ? scaled(sourceHeight, sourceWidth) : shorter;
  const int64_t width = tall ? shorter : scaled(sourceWidth, sourceHeight);
  return {height, width, (height - size) / 2, (width - size) / 2};
}

std::vector<SliceClassification> classifySlices(model::Model& model, const SliceSelection& slices, int64_t batchSize,
                                                const ClassificationRequest& request,
                                                const std::atomic<bool>* cancelled) {
  requireTask(model, networks::Task::kClassification, "classify");
  if (slices.size() == 0) return {};
  const model::ModelMetadata metadata =
      model.metadata();  // one for the whole batch, should the model be trained meanwhile
  const int64_t n = programBatch(slices, batchSize, model.engine().backend().preparesSlowly());
  const SourceBatch batch(metadata, slices, n, request.testTime, 0, model.engine().backend());
  compiler::Bindings bindings;
  batch.bind(bindings);
  const runtime::ProgramKey key{.kind = runtime::ProgramKey::Kind::kClassification,
                                .samples = n,
                                .height = metadata.inputSize,
                                .width = metadata.inputSize,
                                .withMap = request.explain,
                                .testTime = request.testTime.text(),
                                .sourceBytes = batch.capacity.bytes};
  const auto graph = [&] {
    return classificationGraph(metadata, n, batch.capacity, request.explain, request.testTime);
  };
  Tensor logits, maps;
  const auto bindOutputs = [&](const compiler::Program& program) {
    logits = Tensor(program.outputType(networks::kLogitsOutput.name));
    bindings.output(networks::kLogitsOutput, logits.as<float>());
    if (!request.explain) return;
    maps = Tensor(program.outputType(networks::kActivationMapOutput.name));
    bindings.output(networks::kActivationMapOutput, maps.as<float>());
  };
  runProgram(model, key, graph, bindings, bindOutputs, cancelled);
  std::vector<SliceClassification> results(slices.size());
  for (size_t i = 0; i < slices.size(); ++i) {
    const auto pair = sample(logits, i);
    requireFiniteOutput(model, std::isfinite(pair[0]) && std::isfinite(pair[1]));
    results[i].logOdds = static_cast<double>(pair[1]) - static_cast<double>(pair[0]);
    results[i].probability = static_cast<float>(metrics::probabilityOf(results[i].logOdds, metadata.temperature));
    if (!request.explain) continue;
    const auto raw = sample(maps, i);
    results[i].activationMap =
        mapToSource(metadata, {raw.begin(), raw.end()}, maps.shape()[1], maps.shape()[2], slices.info(i));
  }
  return results;
}

std::vector<SliceSegmentation> segmentSlices(model::Model& model, const SliceSelection& slices, int64_t batchSize,
                                             const SegmentationRequest& request, const std::atomic<bool>* cancelled) {
  requireTask(model, networks::Task::kSegmentation, "segment");
  if (slices.size() == 0) return {};
  const model::ModelMetadata metadata = model.metadata();
  const int64_t n = programBatch(slices, batchSize, model.engine().backend().preparesSlowly());
  const SourceBatch batch(metadata, slices, n, request.testTime, request.threshold, model.engine().backend());
  compiler::Bindings bindings;
  batch.bind(bindings);
  bindings.input(kTargetsInput, batch.targets);
  const auto pixels = static_cast<size_t>(batch.pixels);
  std::vector<uint8_t> masks(pixels);
  std::vector<MapStatistics> statistics(static_cast<size_t>(n));
  std::vector<float> allProbabilities(request.probabilities ? pixels : 0);
  bindings.beginning(kMasksOutput, std::as_writable_bytes(std::span(masks)));
  bindings.output(kStatisticsOutput, statistics);
  if (request.probabilities) bindings.beginning(kProbabilitiesOutput, allProbabilities);
  const runtime::ProgramKey key{.kind = runtime::ProgramKey::Kind::kSegmentation,
                                .samples = n,
                                .height = metadata.inputSize,
                                .width = metadata.inputSize,
                                .withMap = request.probabilities,
                                .testTime = request.testTime.text(),
                                .sourceBytes = batch.capacity.bytes,
                                .maskPixels = batch.capacity.pixels};
  const auto graph = [&] {
    return segmentationGraph(metadata, n, batch.capacity, request.probabilities, request.testTime);
  };
  runProgram(
      model, key, graph, bindings, [](const compiler::Program&) {}, cancelled);
  std::vector<SliceSegmentation> results(slices.size());
  for (size_t i = 0; i < slices.size(); ++i) {
    requireFiniteOutput(model, statistics[i].notFinite == 0);
    const data::SliceInfo& source = slices.info(i);
    SliceSegmentation& result = results[i];
    const auto first = static_cast<size_t>(batch.targets[i].offset);
    const auto count = static_cast<size_t>(source.width * source.height);
    const auto mask = std::span<const uint8_t>(masks).subspan(first, count);
    result.mask = data::BitMask(mask);
    result.areaPixels = statistics[i].lesionPixels;
    if (source.spacing) result.areaMm2 = static_cast<double>(result.areaPixels) * source.spacing->pixelAreaMm2();
    result.lesions = measure::findLesions(mask, source.width, source.height, source.spacing, request.minAreaPixels);
    if (source.rowsRunToPatientsLeft())
      for (measure::Lesion& lesion : result.lesions) lesion.left = !lesion.left;
    if (!request.probabilities) continue;
    const auto probabilities = std::span(allProbabilities).subspan(first, count);
    result.probabilities.assign(probabilities.begin(), probabilities.end());
  }
  return results;
}

}  // namespace jcs::diagnosis
