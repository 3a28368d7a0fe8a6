#include "networks/resnet.h"

#include "nn/layers.h"
#include "ops/elementwise.h"
#include "ops/pool.h"

namespace jcs::networks {

namespace {

constexpr int64_t kExpansion = 4;

struct Bottleneck {
  int64_t planes;
  int64_t stride = 1, dilation = 1;
  bool hasDownsample = false;
};

Value convBn(const Scope& scope, const std::string& conv, const std::string& bn, Value x, ConvOptions options,
             const NormOptions& norm) {
  options.bias = false;
  return batchNorm(scope / bn, conv2d(scope / conv, x, options), norm);
}

Value bottleneck(const Scope& scope, Value x, const Bottleneck& block, const NormOptions& norm) {
  const NodeLabel label = scope.label();
  const int64_t outputs = kExpansion * block.planes;
  Value y =
      relu(convBn(scope, "conv1", "bn1", x, {.channels = block.planes, .kernel = 1, .stride = block.stride}, norm));
  y = relu(convBn(scope, "conv2", "bn2", y, {.channels = block.planes, .dilation = block.dilation}, norm));
  y = convBn(scope, "conv3", "bn3", y, {.channels = outputs, .kernel = 1}, norm);
  if (block.hasDownsample)
    x = convBn(scope / "downsample", "0", "1", x, {.channels = outputs, .kernel = 1, .stride = block.stride}, norm);
  return relu(add(y, x));
}

}  // namespace

std::vector<Value> resnet50(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  constexpr int kBlocks[] = {3, 4, 6, 3};
  constexpr int64_t kStrides[] = {1, 2, 2, 1}, kDilations[] = {1, 1, 1, 2};
  const NodeLabel label = scope.label();
  const NormOptions norm{.mode = options.batchNorm, .training = options.training, .ranks = options.ranks};
  const auto channels = [&](int stage) { return scaledChannels(int64_t{64} << stage, spec.width); };
  std::vector<Value> maps{
      relu(convBn(scope, "conv1", "bn1", image, {.channels = channels(0), .kernel = 7, .stride = 2}, norm))};
  Value x = maxPool2d(maps[0], {.kernel = 3, .stride = 2, .padding = 1, .ceilMode = true});
  for (int stage = 0; stage < 4; ++stage) {
    const Scope layer = scope / ("layer" + std::to_string(stage + 1));
    Bottleneck block{channels(stage), kStrides[stage], kDilations[stage], true};
    x = bottleneck(layer / 0, x, block, norm);
    block.stride = 1, block.hasDownsample = false;
    for (int i = 1; i < kBlocks[stage]; ++i) x = bottleneck(layer / i, x, block, norm);
    maps.push_back(x);
  }
  return maps;
}

}  // namespace jcs::networks
