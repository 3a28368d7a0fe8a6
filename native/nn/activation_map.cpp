#include "nn/activation_map.h"

#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/reduce.h"

namespace jcs {

Value activationMap(Value features, Value headWeight, Variant variant) {
  const NodeLabel label(*features.graph, "activation_map");
  const Shape& shape = features.shape();
  const int64_t channels = shape.channels();
  const Value pixels = reshape(features, {shape.rows(), channels});
  const auto headRow = [&](int64_t row) { return slice(headWeight, {row, 0}, {1, channels}); };
  const Value map = variant == Variant::kPaper ? dense(pixels, relu(subtract(headRow(1), headRow(0))), std::nullopt)
                                               : relu(dense(pixels, headRow(1), std::nullopt));
  return reshape(map, {shape[0], shape[1], shape[2], 1});
}

Value activationLoss(Value features, Value headWeight, Value masks, Value sampleWeights, Variant variant) {
  const Value normalized = minMaxNormalize(activationMap(features, headWeight, variant));
  const NodeLabel label(*features.graph, "activation_loss");
  const Shape& shape = normalized.shape();
  const Value difference = subtract(normalized, masks);
  const Value squares = reduceSum(multiply(difference, difference), {shape[0], 1, 1, 1});
  // 1e-12: the square root of a perfect match has a gradient.
  const Value distances = reshape(sqrt(add(squares, 1e-12f)), {shape[0]});
  const auto pixelCount = static_cast<float>(shape[1] * shape[2]);
  return multiply(reduceSum(multiply(distances, sampleWeights), Shape{}), 1 / pixelCount);
}

}  // namespace jcs
