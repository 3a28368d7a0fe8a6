#include "nn/batch_norm_layer.h"

#include "ops/batch_norm.h"
#include "ops/elementwise.h"

namespace jcs {

namespace {

/// running ← running + (momentum · correction · batch − momentum · running): the sum is taken where `running` lies.
void follow(Value running, Value batch, float momentum, float correction = 1) {
  const Value change = subtract(multiply(batch, momentum * correction), multiply(running, momentum));
  running.graph->assign(running, add(running, change));
}

}  // namespace

Value batchNorm(const Scope& scope, Value x, const NormOptions& options) {
  const Shape channels{x.shape().channels()};
  const bool learnt = options.mode != BatchNormMode::kFrozen;
  const Value gamma = scope.parameter("weight", channels, Initializer::constant(1), learnt);
  const Value beta = scope.parameter("bias", channels, Initializer::constant(0), learnt);
  const Value mean = scope.parameter("running_mean", channels, Initializer::constant(0), false);
  const Value variance = scope.parameter("running_var", channels, Initializer::constant(1), false);
  const NodeLabel label = scope.label();
  if (!options.training || options.mode != BatchNormMode::kBatch)
    return batchNormInference(x, gamma, beta, mean, variance, options.epsilon);

  require(options.epsilon > 0, errors::kInvalidArgument, [&] {
    return "batch norm '" + scope.path() +
           "' has no epsilon, as in the authors' checkpoints, and cannot be trained on batch statistics; use "
           "batchNorm: 'frozen' or 'eval', or a network that was not loaded from such a checkpoint";
  });
  const BatchNormResult result = batchNorm(x, gamma, beta, options.epsilon);
  const auto count = static_cast<float>(x.shape().rows());
  follow(mean, result.mean, options.momentum);
  follow(variance, result.variance, options.momentum, count / (count - 1));
  return result.y;
}

}  // namespace jcs
