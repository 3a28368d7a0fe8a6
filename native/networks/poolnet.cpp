#include "networks/poolnet.h"

#include <algorithm>

#include "networks/resnet.h"
#include "nn/layers.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/pool.h"

namespace jcs::networks {

namespace {

/// Most have no ReLU behind them and are summed: what keeps the variance through ReLUs would let it grow without end.
/// The authors' deviation of 0.01 is near this at full width, and vanishes at others.
Value plainConv(const Scope& scope, Value x, int64_t channels, int64_t kernel) {
  return conv2d(scope, x, {.channels = channels, .kernel = kernel, .bias = false, .init = WeightInit::kUniform});
}

Value plainConvRelu(const Scope& scope, Value x, int64_t channels, int64_t kernel) {
  const NodeLabel label = scope.label();
  return relu(plainConv(scope / 0, x, channels, kernel));
}

/// The global guidance module's pyramid: x beside its averages over 1, 3² and 5² windows.
Value pyramidPooling(const Scope& base, Value x, int64_t channels) {
  const NodeLabel label = (base / "ppms").label();
  x = plainConv(base / "ppms_pre", x, channels, 1);
  std::vector<Value> levels{x};
  for (int i = 0; i < 3; ++i) {
    const Value pooled = relu(plainConv(base / "ppms" / i / 1, adaptiveAveragePool2d(x, 2 * i + 1), channels, 1));
    levels.push_back(resizeAligned(pooled, x));
  }
  return plainConvRelu(base / "ppm_cat", concat(levels), channels, 3);
}

/// What a feature aggregation module is joined with: the map of the level, and the guidance at its size.
struct Level {
  Value lateral, guidance;
};

/// The feature aggregation module: x and three of its poolings, summed.
Value aggregate(const Scope& scope, Value x, int64_t channels, const Level* level) {
  const NodeLabel label = scope.label();
  Value sum = x;
  for (int i = 0; i < 3; ++i) {
    const int64_t window = int64_t{2} << i;
    // A map that is smaller than the window is one window; the published code refuses such images.
    const int64_t side = std::min({window, x.shape()[1], x.shape()[2]});
    const Value pooled = averagePool2d(x, {.kernel = side, .stride = side});
    sum = add(sum, resizeAligned(plainConv(scope / "convs" / i, pooled, x.shape().channels(), 3), x));
  }
  x = relu(sum);
  if (level != nullptr) x = resizeAligned(x, level->lateral);
  x = plainConv(scope / "conv_sum", x, channels, 3);
  if (level != nullptr) x = plainConv(scope / "conv_sum_c", add(add(x, level->lateral), level->guidance), channels, 3);
  return x;
}

}  // namespace

SegmenterOutputs poolnet(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  constexpr int64_t kLateral[] = {128, 256, 256, 512, 512};  // by level, the finest first
  const auto scaled = [&](int64_t channels) { return scaledChannels(channels, spec.width); };
  const Scope base = scope / "base", convert = scope / "convert" / "convert0";
  const std::vector<Value> maps = resnet50(base / "resnet", image, spec, options);
  const Value pyramid = pyramidPooling(base, maps[4], scaled(512));
  std::vector<Value> laterals;
  for (int level = 0; level < 5; ++level)
    laterals.push_back(plainConvRelu(convert / level, maps[size_t(level)], scaled(kLateral[level]), 1));
  Value x = laterals[4];
  for (int i = 0; i < 4; ++i) {
    const auto level = size_t(3 - i);
    const int64_t channels = laterals[level].shape().channels();
    const Scope info = base / "infos" / i;
    const Level joined{laterals[level], plainConvRelu(info, resizeAligned(pyramid, maps[level]), channels, 3)};
    x = aggregate(scope / "deep_pool" / i, x, channels, &joined);
  }
  x = aggregate(scope / "deep_pool" / 4, x, x.shape().channels(), nullptr);
  const Scope score = scope / "score" / "score";
  const NodeLabel label = score.label();
  return {{resizeAligned(
      conv2d(score, x, {.channels = 1, .kernel = 1, .init = WeightInit::kUniform, .float32Output = true}), image)}};
}

}  // namespace jcs::networks
