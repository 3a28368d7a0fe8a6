#include "ops/images.h"

namespace jcs {

namespace {

bool isBytes(const TensorType& type) { return type.dtype == DType::kU8 && type.shape.rank() == 1; }

template <typename Record>
bool isTable(const TensorType& type) {
  return type.shape.rank() == 2 && type == tableOf<Record>(type.shape[0]);
}

bool areImages(const TensorType& type, int64_t channels) {
  return type.dtype != DType::kU8 && type.shape.rank() == 4 && type.shape[3] == channels;
}

}  // namespace

std::vector<TensorType> PixelsToImages::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && isBytes(in[0]) && isTable<ImageRecord>(in[1]) && height > 0 && width > 0, in,
               "takes bytes, a table of image sources and a positive size");
  return {{DType::kF32, {in[1].shape[0], height, width, 3}}};
}

std::vector<TensorType> BitsToMasks::infer(std::span<const TensorType> in) const {
  const bool warped = in.size() == 3;
  requireShape((in.size() == 2 || warped) && isBytes(in[0]) && isTable<ImageRecord>(in[1]) && height > 0 && width > 0 &&
                   (!warped || in[2] == tableOf<Augmentation>(in[1].shape[0])),
               in, "takes bytes, a table of image sources, perhaps one of as many augmentations, and a positive size");
  return {{DType::kF32, {in[1].shape[0], height, width, 1}}};
}

std::vector<TensorType> AugmentImages::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && areImages(in[0], 3) && in[1] == tableOf<Augmentation>(in[0].shape[0]), in,
               "takes images N×H×W×3 and a table of N augmentations");
  return {in[0]};
}

std::vector<TensorType> MixSamples::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && in[0].dtype != DType::kU8 && in[0].shape.rank() >= 1 && isTable<MixedSample>(in[1]) &&
                   in[1].shape[0] <= in[0].shape[0],
               in, "takes samples M×… and a table of at most M mixed samples");
  TensorType result = in[0];
  result.shape[0] = in[1].shape[0];
  return {result};
}

std::vector<TensorType> AreaAverage::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && areImages(in[0], 1) && in[0].elements() > 0 && height > 0 && width > 0, in,
               "takes a non-empty N×H×W×1 and a positive size");
  return {{in[0].dtype, {in[0].shape[0], height, width, 1}}};
}

std::vector<TensorType> MapsToSources::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && areImages(in[0], 1) && in[0].elements() > 0 &&
                   in[1] == tableOf<MapTarget>(in[0].shape[0]) && pixels > 0,
               in, "takes maps N×h×w×1, a table of N targets and a positive number of pixels");
  std::vector<TensorType> results{{DType::kU8, {pixels}}, tableOf<MapStatistics>(in[0].shape[0])};
  if (probabilities) results.push_back({in[0].dtype, {pixels}});
  return results;
}

Value pixelsToImages(Value bytes, Value sources, int64_t height, int64_t width) {
  auto op = std::make_shared<PixelsToImages>();
  op->height = height;
  op->width = width;
  return addNode(op, {bytes, sources});
}

Value bitsToMasks(Value bytes, Value sources, Value augmentations, int64_t height, int64_t width) {
  auto op = std::make_shared<BitsToMasks>();
  op->height = height;
  op->width = width;
  return augmentations ? addNode(op, {bytes, sources, augmentations}) : addNode(op, {bytes, sources});
}

Value augmentImages(Value images, Value augmentations) {
  return addNode(std::make_shared<AugmentImages>(), {images, augmentations});
}

Value mixSamples(Value x, Value mixed) { return addNode(std::make_shared<MixSamples>(), {x, mixed}); }

Value areaAverage(Value x, int64_t height, int64_t width) {
  auto op = std::make_shared<AreaAverage>();
  op->height = height;
  op->width = width;
  return addNode(op, {x});
}

std::vector<Value> mapsToSources(Value maps, Value targets, int64_t pixels, bool probabilities) {
  auto op = std::make_shared<MapsToSources>();
  op->pixels = pixels;
  op->probabilities = probabilities;
  const Value inputs[] = {maps, targets};
  return addNodeWithOutputs(op, inputs);
}

}  // namespace jcs
