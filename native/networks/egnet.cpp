#include "networks/egnet.h"

#include "networks/resnet.h"
#include "nn/layers.h"
#include "ops/elementwise.h"

namespace jcs::networks {

namespace {

/// Blocks are summed over and over without norms: with what keeps the variance through ReLUs, logits would start in the
/// hundreds. The authors' deviation of 0.01 is near this at full width, and vanishes at others.
constexpr WeightInit kInit = WeightInit::kUniform;

Value plainConvRelu(const Scope& scope, Value x, int64_t channels) {
  const NodeLabel label = scope.label();
  return relu(conv2d(scope / 0, x, {.channels = channels, .kernel = 1, .bias = false, .init = kInit}));
}

/// Three convolutions, each with ReLU.
Value convBlock(const Scope& scope, Value x, int64_t kernel) {
  const NodeLabel label = scope.label();
  const int64_t channels = x.shape().channels();
  for (const int layer : {0, 2, 4})
    x = relu(conv2d(scope / layer, x, {.channels = channels, .kernel = kernel, .init = kInit}));
  return x;
}

/// One channel of the image's size.
Value scored(const Scope& scope, Value x, Value image) {
  const NodeLabel label = scope.label();
  return resizeAligned(conv2d(scope, x, {.channels = 1, .init = kInit, .float32Output = true}), image);
}

}  // namespace

SegmenterOutputs egnet(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  // By level, the finest, which is the edge's, first.
  constexpr int64_t kChannels[] = {128, 256, 512, 512, 512}, kKernels[] = {3, 3, 5, 5, 7};
  constexpr int64_t kGuidedKernels[] = {3, 5, 5, 7};
  const auto channels = [&](size_t level) { return scaledChannels(kChannels[level], spec.width); };
  const std::vector<Value> maps = resnet50(scope / "base", image, spec, options);
  const Scope convert = scope / "convert" / "convert0", merge = scope / "merge1", guide = scope / "merge2";
  std::vector<Value> laterals;
  for (size_t level = 0; level < 5; ++level)
    laterals.push_back(plainConvRelu(convert / int(level), maps[level], channels(level)));

  // Top down; where widths differ a 1×1 brings what comes from above to the level's.
  std::vector<Value> features(5);
  for (size_t level = 4; level >= 1; --level) {
    Value x = laterals[level];
    if (level < 4) {
      Value above = features[level + 1];
      if (level == 1) above = plainConvRelu(merge / "trans" / 1, above, channels(1));
      x = add(x, resizeAligned(above, x));
    }
    features[level] = convBlock(merge / "up" / int(level), x, kKernels[level]);
  }
  // The published state dict has this one, which nothing reads.
  (merge / "trans" / 0 / 0)
      .parameter("weight", {channels(0), channels(1), 1, 1}, Initializer::uniformFanIn(channels(1)), false);
  const Value deepest = plainConvRelu(merge / "trans" / 2, features[4], channels(0));
  features[0] = convBlock(merge / "up" / 0, add(laterals[0], resizeAligned(deepest, laterals[0])), kKernels[0]);

  SegmenterOutputs outputs;
  Value sum;
  std::vector<Value> guided, unguided;
  for (size_t level = 1; level < 5; ++level) {
    const int i = int(level) - 1;
    const Value feature = resizeAligned(
        plainConvRelu(guide / "trans" / 0 / i, features[level], features[0].shape().channels()), features[0]);
    const Value x = convBlock(guide / "up" / 0 / i, add(feature, features[0]), kGuidedKernels[i]);
    guided.push_back(scored(guide / "score" / 0 / i, x, image));
    unguided.push_back(scored(merge / "score" / int(level), features[level], image));
    const NodeLabel label = guide.label();
    sum = level == 1 ? x : relu(add(sum, x));
  }
  const Scope last = guide / "final_score";
  const Value fused = relu(conv2d(last / 0, sum, {.channels = sum.shape().channels(), .kernel = 5, .init = kInit}));
  outputs.sideLogits.push_back(scored(last / 2, fused, image));
  outputs.sideLogits.insert(outputs.sideLogits.end(), guided.begin(), guided.end());
  outputs.sideLogits.insert(outputs.sideLogits.end(), unguided.begin(), unguided.end());
  outputs.edgeLogits = scored(merge / "score" / 0, features[0], image);
  return outputs;
}

}  // namespace jcs::networks
