#include "networks/jcs_segmentation.h"

#include "networks/vgg.h"
#include "nn/jcs_blocks.h"

namespace jcs::networks {

namespace {

/// The map from below, with as many channels as the lateral one and of its size.
Value topDownMap(const Scope& scope, Value x, Value lateral) {
  const NodeLabel label = scope.label();
  return resizeLike(convRelu(scope, x, {.channels = lateral.shape().channels(), .kernel = 1}), lateral);
}

/// One channel of the image's size.
Value sideLogits(const Scope& scope, Value x, Value image) {
  const NodeLabel label = scope.label();
  return resizeLike(conv2d(scope, x, {.channels = 1, .kernel = 1, .init = WeightInit::kUniform, .float32Output = true}),
                    image);
}

}  // namespace

std::vector<Value> jcsEncoder(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  const NodeLabel label = scope.label();
  std::vector<Value> maps = vgg16(scope / "vgg16", image, spec, options);
  if (spec.efm) maps[4] = groupedAtrousModule(scope / "gpd", maps[4], {1, 3, 6, 9});
  Value deepest = halve(maps[4]);
  if (spec.efm) deepest = groupedAtrousModule(scope / "gpd1", deepest, {1, 2, 3, 4});
  maps.push_back(deepest);
  return maps;
}

SegmenterOutputs jcsDecoder(const Scope& scope, const std::vector<Value>& encoded, Value image,
                            const NetworkSpec& spec) {
  const Scope fpn = scope / "fpn";
  Value x = encoded[5];
  if (spec.variant == Variant::kAuthors) {
    const int64_t channels = x.shape().channels();
    x = convRelu(fpn / "inners_a" / 5, x, {.channels = channels, .kernel = 1});
    x = convRelu(fpn / "fuse" / 5, x, {.channels = channels});
  }
  SegmenterOutputs outputs;
  for (int level = 4; level >= 0; --level) {
    const Value map = encoded[size_t(level)];
    const int64_t half = map.shape().channels() / 2;
    const Value lateral = convRelu(fpn / "inners_a" / level, map, {.channels = half, .kernel = 1});
    const Value topDown = topDownMap(fpn / "inners_b" / level, x, lateral);
    x = spec.aff ? attentiveFeatureFusion(fpn / "fuse" / level, lateral, topDown, spec.variant)
                 : plainFeatureFusion(fpn / "fuse" / level, lateral, topDown);
    const Value side = sideLogits(scope / ("cls" + std::to_string(level + 1)), x, image);
    outputs.sideLogits.insert(outputs.sideLogits.begin(), side);
  }
  return outputs;
}

SegmenterOutputs jcsSegmentation(const Scope& scope, Value image, const NetworkSpec& spec,
                                 const BuildOptions& options) {
  return jcsDecoder(scope, jcsEncoder(scope, image, spec, options), image, spec);
}

}  // namespace jcs::networks
