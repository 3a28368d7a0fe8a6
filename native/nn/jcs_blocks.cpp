#include "nn/jcs_blocks.h"

#include "ops/elementwise.h"
#include "ops/layout.h"

namespace jcs {

Value groupedAtrousModule(const Scope& scope, Value x, const std::array<int64_t, 4>& rates) {
  const NodeLabel label = scope.label();
  const int64_t channels = x.shape().channels(), expanded = 2 * channels, group = expanded / 4;
  const Value wide = convRelu(scope / "expand_conv", x, {.channels = expanded, .kernel = 1});
  std::vector<Value> groups = split(wide, std::vector<int64_t>(4, group));
  for (int i = 0; i < 4; ++i)
    groups[size_t(i)] =
        conv2d(scope / "dilation_convs" / i, groups[size_t(i)], {.channels = group, .dilation = rates[size_t(i)]});
  const Value attended = squeezeExcitation(scope / "se_block", relu(concat(groups)), reducedByFour(expanded));
  const Value reduced = convRelu(scope / "reduce_conv", attended, {.channels = channels, .kernel = 1});
  return convRelu(scope / "end_conv", reduced, {.channels = channels});
}

Value attentiveFeatureFusion(const Scope& scope, Value lateral, Value topDown, Variant variant) {
  const NodeLabel label = scope.label();
  const bool paper = variant == Variant::kPaper;
  Value x = concat({lateral, topDown});
  const int64_t channels = x.shape().channels(), widened = channels + topDown.shape().channels();
  x = squeezeExcitation(scope / "se1", x, paper ? reducedByFour(channels) : 1);
  x = convRelu(scope / "conv1", x, {.channels = channels});
  x = concat({x, topDown});
  x = squeezeExcitation(scope / "se2", x, paper ? reducedByFour(widened) : 1);
  if (!paper) x = convRelu(scope / "reduce_conv", x, {.channels = channels, .kernel = 1});
  return convRelu(scope / "conv2", x, {.channels = channels});
}

Value plainFeatureFusion(const Scope& scope, Value lateral, Value topDown) {
  const NodeLabel label = scope.label();
  const Value x = concat({lateral, topDown});
  return convRelu(scope / "conv1", x, {.channels = x.shape().channels()});
}

}  // namespace jcs
