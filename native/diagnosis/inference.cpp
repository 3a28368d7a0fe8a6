#include "diagnosis/inference.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace jcs {

namespace {

void requireTask(const Model& model, Task task, const char* call) {
  require(model.task() == task, errors::kInvalidArgument, [&] {
    return std::string(call) + " needs a " + (task == Task::kClassification ? "classification" : "segmentation") +
           " network, '" + model.spec().network + "' is none";
  });
}

int64_t programBatch(size_t slices, int64_t batchSize) {
  const auto count = static_cast<int64_t>(slices);
  return count >= batchSize ? count : std::min(batchSize, static_cast<int64_t>(std::bit_ceil(slices)));
}

/// Rows past the slices are zeros: whatever the network makes of them is not read.
Tensor prepare(const ModelMetadata& metadata, std::span<const Slice> slices, int64_t batch) {
  const int64_t size = metadata.inputSize;
  Tensor images = Tensor::zeros(DType::kF32, {batch, size, size, 3});
  const Normalization normalization{metadata.mean, metadata.deviation};
  for (size_t i = 0; i < slices.size(); ++i) {
    const Pixels& pixels = slices[i].pixels;
    const auto target =
        images.as<float>().subspan(i * static_cast<size_t>(size * size * 3), static_cast<size_t>(size * size * 3));
    const InputGeometry g = inputGeometry(metadata.spec, size, pixels.height, pixels.width);
    if (g.height == size && g.width == size) {
      resizeToRgb(pixels, size, size, target);
    } else {
      std::vector<float> resized(static_cast<size_t>(g.height * g.width * 3));
      resizeToRgb(pixels, g.height, g.width, resized);
      for (int64_t y = 0; y < size; ++y)
        std::copy_n(resized.begin() + ((y + g.top) * g.width + g.left) * 3, size * 3, target.begin() + y * size * 3);
    }
    normalize(target, normalization);
  }
  return images;
}

/// Weights and pixels are finite when they enter, but a network may overflow on its way.
void requireFiniteOutput(const Model& model, std::span<const float> values) {
  for (const float value : values)
    require(std::isfinite(value), errors::kNotFinite, [&] {
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
std::vector<float> mapToSource(const ModelMetadata& metadata, std::vector<float> map, int64_t height, int64_t width,
                               const Pixels& source) {
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

InputGeometry inputGeometry(const NetworkSpec& spec, int64_t size, int64_t sourceHeight, int64_t sourceWidth) {
  const bool cutsCentre = networkInfo(spec.network).task == Task::kClassification && spec.variant == Variant::kAuthors;
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

std::vector<SliceClassification> classifySlices(Model& model, std::span<const Slice> slices, int64_t batchSize,
                                                bool explain, const std::atomic<bool>* cancelled) {
  requireTask(model, Task::kClassification, "classify");
  if (slices.empty()) return {};
  const ModelMetadata metadata = model.metadata();  // one for the whole batch, should the model be trained meanwhile
  const Tensor images = prepare(metadata, slices, programBatch(slices.size(), batchSize));
  const auto outputs = model.forward(images, explain, cancelled);
  const Tensor& logits = outputs.at("logits");
  std::vector<SliceClassification> results(slices.size());
  for (size_t i = 0; i < slices.size(); ++i) {
    const auto pair = sample(logits, i);
    requireFiniteOutput(model, pair);
    results[i].probability = 1 / (1 + std::exp(pair[0] - pair[1]));
    if (!explain) continue;
    const Tensor& maps = outputs.at("activationMap");
    const auto raw = sample(maps, i);
    results[i].activationMap =
        mapToSource(metadata, {raw.begin(), raw.end()}, maps.shape()[1], maps.shape()[2], slices[i].pixels);
  }
  return results;
}

std::vector<SliceSegmentation> segmentSlices(Model& model, std::span<const Slice> slices, int64_t batchSize,
                                             const SegmentationRequest& request, const std::atomic<bool>* cancelled) {
  requireTask(model, Task::kSegmentation, "segment");
  if (slices.empty()) return {};
  const Tensor images = prepare(model.metadata(), slices, programBatch(slices.size(), batchSize));
  const auto outputs = model.forward(images, false, cancelled);
  const Tensor& finest = outputs.at("side1");
  std::vector<SliceSegmentation> results(slices.size());
  for (size_t i = 0; i < slices.size(); ++i) {
    requireFiniteOutput(model, sample(finest, i));
    const Pixels& source = slices[i].pixels;
    SliceSegmentation& result = results[i];
    std::vector<float> probabilities =
        resizeMap(sample(finest, i), finest.shape()[2], finest.shape()[1], source.width, source.height);
    result.mask.resize(probabilities.size());
    for (size_t p = 0; p < probabilities.size(); ++p) {
      result.mask[p] = probabilities[p] > request.threshold;
      result.areaPixels += result.mask[p];
    }
    const auto& spacing = slices[i].spacingMm;
    if (spacing) result.areaMm2 = static_cast<double>(result.areaPixels) * spacing->first * spacing->second;
    result.lesions = findLesions(result.mask, source.width, source.height, spacing, request.minAreaPixels);
    if (request.probabilities) result.probabilities = std::move(probabilities);
  }
  return results;
}

}  // namespace jcs
