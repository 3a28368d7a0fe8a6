#include "networks/res2net.h"

#include <array>

#include "nn/layers.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/pool.h"

namespace jcs::networks {

namespace {

constexpr int64_t kSplits = 4;
constexpr int64_t kExpansion = 4;

/// The convolutions have no bias and are each followed by a batch norm.
struct Builder {
  double width;
  NormOptions norm;
  bool trainable;

  Value conv(const Scope& scope, Value x, int64_t channels, int64_t kernel, int64_t stride = 1,
             int64_t dilation = 1) const {
    return conv2d(scope, x,
                  {.channels = channels,
                   .kernel = kernel,
                   .stride = stride,
                   .dilation = dilation,
                   .bias = false,
                   .trainable = trainable});
  }

  /// Two 3×3 more than ResNet's single 7×7.
  Value stem(const Scope& scope, Value image) const {
    const NodeLabel label = scope.label();
    const int64_t narrow = scaledChannels(32, width);
    Value x = conv(scope / "conv1" / 0, image, narrow, 3, 2);
    x = relu(batchNorm(scope / "conv1" / 1, x, norm));
    x = conv(scope / "conv1" / 3, x, narrow, 3);
    x = relu(batchNorm(scope / "conv1" / 4, x, norm));
    x = conv(scope / "conv1" / 6, x, scaledChannels(64, width), 3);
    return relu(batchNorm(scope / "bn1", x, norm));
  }

  /// Bottleneck whose 3×3 works on four splits in turn. Later blocks of a stage add the previous split's output and
  /// pass the fourth through; a stage's first block convolves its splits independently and average-pools the fourth.
  Value block(const Scope& scope, Value x, int64_t planes, int64_t stride, int64_t dilation, bool first) const {
    const NodeLabel label = scope.label();
    const int64_t splitWidth = planes * 26 / 64, outputs = planes * kExpansion;
    Value y = conv(scope / "conv1", x, splitWidth * kSplits, 1);
    y = relu(batchNorm(scope / "bn1", y, norm));
    std::vector<Value> splits = split(y, std::vector<int64_t>(kSplits, splitWidth));
    for (int i = 0; i < kSplits - 1; ++i) {
      Value& part = splits[size_t(i)];
      if (i > 0 && !first) part = add(part, splits[size_t(i) - 1]);
      part = conv(scope / "convs" / i, part, splitWidth, 3, stride, dilation);
      part = relu(batchNorm(scope / "bns" / i, part, norm));
    }
    if (first)
      splits.back() =
          averagePool2d(splits.back(), {.kernel = 3, .stride = stride, .padding = 1, .countIncludePad = true});
    y = conv(scope / "conv3", concat(splits), outputs, 1);
    y = batchNorm(scope / "bn3", y, norm);
    const Value shortcut = first ? downsample(scope / "downsample", x, outputs, stride) : x;
    return relu(add(y, shortcut));
  }

  Value downsample(const Scope& scope, Value x, int64_t channels, int64_t stride) const {
    const NodeLabel label = scope.label();
    if (stride > 1) x = averagePool2d(x, {.kernel = stride, .stride = stride, .ceilMode = true});
    return batchNorm(scope / 2, conv(scope / 1, x, channels, 1), norm);
  }
};

std::array<int, 4> blockCounts(const std::string& depth) {
  return depth == "res2net50-v1b" ? std::array{3, 4, 6, 3} : std::array{3, 4, 23, 3};
}

}  // namespace

std::vector<Value> res2net(const Scope& scope, Value image, const Res2netOptions& options) {
  const NodeLabel label = scope.label();
  const Builder build{options.width, options.norm, options.trainable};
  std::vector<Value> maps{build.stem(scope, image)};
  Value x = maxPool2d(maps[0], {.kernel = 3, .stride = 2, .padding = 1});
  const auto counts = blockCounts(options.depth);
  int64_t reached = 4, dilation = 1;
  for (int stage = 0; stage < 4; ++stage) {
    const Scope layer = scope / ("layer" + std::to_string(stage + 1));
    const int64_t planes = scaledChannels(int64_t{64} << stage, options.width);
    const int64_t before = dilation, stride = stage > 0 && reached < options.outputStride ? 2 : 1;
    reached *= stride;
    if (stage > 0 && stride == 1) dilation *= 2;
    x = build.block(layer / 0, x, planes, stride, before, true);
    for (int i = 1; i < counts[size_t(stage)]; ++i) x = build.block(layer / i, x, planes, 1, dilation, false);
    maps.push_back(x);
  }
  return maps;
}

ClassifierOutputs res2netClassifier(const Scope& scope, Value image, const NetworkSpec& spec,
                                    const BuildOptions& options) {
  const Res2netOptions res2netOptions{
      .depth = spec.network, .width = spec.width, .outputStride = spec.outputStride, .norm = trunkNorm(spec, options)};
  const Value features = res2net(scope, image, res2netOptions).back();
  const int64_t channels = features.shape().channels();
  const Scope fc = scope / "fc";
  const Initializer uniform = Initializer::uniformFanIn(channels);
  const Value weight = fc.parameter("weight", {2, channels}, uniform);
  std::optional<Value> bias;
  if (spec.variant == Variant::kPaper) bias = fc.parameter("bias", {2}, uniform);
  const NodeLabel label = fc.label();
  return {dense(globalAveragePool(features), weight, bias), features, weight};
}

}  // namespace jcs::networks
