#include "fuzz/native/source.h"
#include "native/compiled.h"
#include "ops/images.h"

/// Records of nonsense, to the kernels that make images of bytes, warp and mix them, and make bytes of maps.

namespace jcs::fuzz {

namespace {

constexpr int64_t kSamples = 2, kSize = 12, kMapSize = 5, kBytes = 600, kPixels = 200;

std::unique_ptr<CompiledGraph> program() {
  Graph graph;
  const Value bytes = graph.input("bytes", {DType::kU8, {kBytes}});
  const Value sources = graph.input("sources", tableOf<ImageRecord>(kSamples));
  const Value augmentations = graph.input("augmentations", tableOf<Augmentation>(kSamples));
  const Value mixed = graph.input("mixed", tableOf<MixedSample>(kSamples));
  const Value targets = graph.input("targets", tableOf<MapTarget>(kSamples));
  const Value maps = graph.input("maps", {DType::kF32, {kSamples, kMapSize, kMapSize, 1}});
  const Value images = pixelsToImages(bytes, sources, kSize, kSize);
  graph.output("images", mixSamples(augmentImages(images, augmentations), mixed));
  graph.output("masks", bitsToMasks(bytes, sources, augmentations, kSize, kSize));
  graph.output("unwarped", bitsToMasks(bytes, sources, {}, kSize, kSize));
  const std::vector<Value> results = mapsToSources(maps, targets, kPixels, true);
  for (size_t i = 0; i < results.size(); ++i) graph.output("result" + std::to_string(i), results[i]);
  return std::make_unique<CompiledGraph>(graph, NamedTensors());
}

/// Half of the tables' fields as they come, half of them near what makes sense, lest every record be refused.
void tame(Source& source, Tensor& sources, Tensor& targets) {
  for (int64_t i = 0; i < kSamples; ++i) {
    auto& record = reinterpret_cast<ImageRecord*>(sources.data())[i];
    if (source.flag()) record.offset = source.within(-1, kBytes);
    if (source.flag()) record.maskOffset = source.within(-1, kBytes);
    if (source.flag()) record.width = static_cast<int32_t>(source.within(0, 30));
    if (source.flag()) record.height = static_cast<int32_t>(source.within(0, 30));
    if (source.flag()) record.channels = source.flag() ? 1 : 3;
    if (source.flag()) record.format = static_cast<PixelFormat>(source.within(0, 3));
    if (source.flag()) record.resizedWidth = static_cast<int32_t>(source.within(0, 40));
    if (source.flag()) record.resizedHeight = static_cast<int32_t>(source.within(0, 40));
    if (source.flag()) record.left = static_cast<int32_t>(source.within(-1, 20));
    if (source.flag()) record.top = static_cast<int32_t>(source.within(-1, 20));
    auto& target = reinterpret_cast<MapTarget*>(targets.data())[i];
    if (source.flag()) target.offset = source.within(-1, kPixels);
    if (source.flag()) target.width = static_cast<int32_t>(source.within(0, 20));
    if (source.flag()) target.height = static_cast<int32_t>(source.within(0, 20));
  }
}

}  // namespace

void fuzzRecords(Bytes bytes) {
  static const std::unique_ptr<CompiledGraph> compiled = program();
  Source source(bytes);
  NamedTensors inputs;
  const auto table = [&](const char* name, TensorType type) -> Tensor& {
    Tensor& tensor = inputs.emplace(name, Tensor(std::move(type))).first->second;
    source.fill({reinterpret_cast<uint8_t*>(tensor.data()), static_cast<size_t>(tensor.bytes())});
    return tensor;
  };
  Tensor& sources = table("sources", tableOf<ImageRecord>(kSamples));
  Tensor& targets = table("targets", tableOf<MapTarget>(kSamples));
  tame(source, sources, targets);
  table("augmentations", tableOf<Augmentation>(kSamples));
  table("mixed", tableOf<MixedSample>(kSamples));
  table("maps", {DType::kF32, {kSamples, kMapSize, kMapSize, 1}});
  table("bytes", {DType::kU8, {kBytes}});
  compiled->run(inputs);
}

}  // namespace jcs::fuzz
