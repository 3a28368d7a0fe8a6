#include "networks/unet.h"

#include "nn/layers.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"

namespace jcs::networks {

namespace {

Value doubleConv(const Scope& scope, Value x, int64_t channels, const NormOptions& norm) {
  const Scope layers = scope / "double_conv";
  const NodeLabel label = layers.label();
  for (int i : {0, 3}) {
    x = conv2d(layers / i, x, {.channels = channels, .bias = false, .init = WeightInit::kUniform});
    x = relu(batchNorm(layers / (i + 1), x, norm));
  }
  return x;
}

/// Twice the height and width: scope.weight I×O×2×2, scope.bias O.
Value upConvolution(const Scope& scope, Value x, int64_t channels) {
  const Initializer uniform = Initializer::uniformFanIn(channels * 4);  // PyTorch's fan of a transposed weight
  const Value weight = scope.parameter("weight", {x.shape().channels(), channels, 2, 2}, uniform);
  const Value bias = scope.parameter("bias", {channels}, uniform);
  const NodeLabel label = scope.label();
  return add(convTranspose2d(x, weight, {.stride = 2}), bias);
}

/// Upsamples x, pads it to the size of `skip`, joins the two.
Value up(const Scope& scope, Value x, Value skip, const NormOptions& norm) {
  const NodeLabel label = scope.label();
  const Shape& size = skip.shape();
  x = upConvolution(scope / "up", x, size.channels());
  const Shape begin{0, (size[1] - x.shape()[1]) / 2, (size[2] - x.shape()[2]) / 2, 0};
  if (x.shape() != size) x = pad(x, begin, size);
  return doubleConv(scope / "conv", concat({skip, x}), size.channels(), norm);
}

}  // namespace

SegmenterOutputs unet(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  const NormOptions norm{.mode = options.batchNorm, .training = options.training, .ranks = options.ranks};
  const auto channels = [&](int level) { return scaledChannels(int64_t{64} << level, spec.width); };
  std::vector<Value> maps{doubleConv(scope / "inc", image, channels(0), norm)};
  for (int level = 1; level <= 4; ++level) {
    const Scope down = scope / ("down" + std::to_string(level)) / "maxpool_conv" / 1;
    const NodeLabel label = down.label();
    maps.push_back(doubleConv(down, halve(maps.back()), channels(level), norm));
  }
  Value x = maps[4];
  for (int step = 1; step <= 4; ++step) x = up(scope / ("up" + std::to_string(step)), x, maps[size_t(4 - step)], norm);
  return {{conv2d(scope / "outc" / "conv", x,
                  {.channels = 1, .kernel = 1, .init = WeightInit::kUniform, .float32Output = true})}};
}

}  // namespace jcs::networks
