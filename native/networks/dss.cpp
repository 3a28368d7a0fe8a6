#include "networks/dss.h"

#include "nn/layers.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/pool.h"

namespace jcs::networks {

namespace {

/// VGG-16 without batch norm, named by the places in torchvision's `features`: the last maps of its five stages, and
/// the pooled last.
std::vector<Value> plainVgg16(const Scope& scope, Value image, const NetworkSpec& spec) {
  constexpr int64_t kChannels[] = {64, 128, 256, 512, 512};
  constexpr int kConvolutions[] = {2, 2, 3, 3, 3};
  std::vector<Value> maps;
  Value x = image;
  int place = 0;
  for (int stage = 0; stage < 5; ++stage) {
    const NodeLabel label = scope.label();
    for (int i = 0; i < kConvolutions[stage]; ++i, place += 2)
      x = relu(conv2d(scope / place, x, {.channels = scaledChannels(kChannels[stage], spec.width)}));
    maps.push_back(x);
    x = maxPool2d(x, {.kernel = 2, .stride = 2, .ceilMode = true});
    ++place;
  }
  maps.push_back(x);
  return maps;
}

constexpr ConvOptions kScore{.channels = 1, .kernel = 1, .init = WeightInit::kUniform, .float32Output = true};

Value sideBranch(const Scope& scope, Value x, int64_t channels, int64_t kernel) {
  const NodeLabel label = scope.label();
  for (const int layer : {0, 2}) x = relu(conv2d(scope / layer, x, {.channels = channels, .kernel = kernel}));
  return conv2d(scope / 4, x, kScore);
}

/// One channel, `factor` times as large, by a transposed convolution of twice that kernel; cut to the size of `like`.
/// The published code takes images alone whose sides are multiples of 32, where nothing is cut and no pooling ceils.
Value enlarge(const Scope& scope, Value x, int64_t factor, Value like) {
  const int64_t kernel = 2 * factor;
  const Initializer uniform = Initializer::uniformFanIn(kernel * kernel);
  const Value weight = scope.parameter("weight", {1, 1, kernel, kernel}, uniform);
  const Value bias = scope.parameter("bias", {1}, uniform);
  const NodeLabel label = scope.label();
  x = add(convTranspose2d(x, weight, {.stride = factor, .padding = factor / 2}), bias);
  const Shape size{x.shape()[0], like.shape()[1], like.shape()[2], 1};
  return x.shape() == size ? x : slice(x, {0, 0, 0, 0}, size);
}

}  // namespace

SegmenterOutputs dss(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions&) {
  constexpr int64_t kChannels[] = {128, 128, 256, 256, 512, 512}, kKernels[] = {3, 3, 5, 5, 5, 7};
  constexpr size_t kFirstConnected[] = {2, 2, 4, 4, 6, 6};  // the side from which on deeper ones are connected
  std::vector<Value> maps = plainVgg16(scope / "base", image, spec);
  maps[5] = averagePool2d(maps[5], {.kernel = 3, .stride = 1, .padding = 1, .countIncludePad = true});

  std::vector<Value> sides, combined;
  for (size_t k = 0; k < 6; ++k)
    sides.push_back(
        sideBranch(scope / "feat" / int(k) / "main", maps[k], scaledChannels(kChannels[k], spec.width), kKernels[k]));
  for (size_t k = 0; k < 6; ++k) {
    const Scope comb = scope / "comb" / int(k);
    const NodeLabel label = comb.label();
    std::vector<Value> joined{sides[k]};
    for (size_t deeper = kFirstConnected[k]; deeper < 6; ++deeper)
      joined.push_back(enlarge(comb / "upconv" / int(deeper - kFirstConnected[k]), sides[deeper],
                               int64_t{1} << (deeper - k), sides[k]));
    const Value x = conv2d(comb / "conv", joined.size() == 1 ? joined[0] : concat(joined), kScore);
    combined.push_back(k == 0 ? x : enlarge(comb / "deconv", x, int64_t{1} << k, image));
  }
  const Scope fuse = scope / "fuse";
  const Value weights = fuse.parameter("weights", {6}, Initializer::constant(1.0f / 6));
  const NodeLabel label = fuse.label();
  const std::vector<Value> shares = split(weights, std::vector<int64_t>(6, 1));
  Value fusion = multiply(combined[0], shares[0]);
  for (size_t k = 1; k < 6; ++k) fusion = add(fusion, multiply(combined[k], shares[k]));
  combined.insert(combined.begin(), fusion);
  return {.sideLogits = combined, .predictionSides = {0, 2, 3, 4}};
}

}  // namespace jcs::networks
