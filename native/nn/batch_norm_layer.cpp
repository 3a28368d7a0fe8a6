#include "nn/batch_norm_layer.h"

#include <algorithm>

#include "ops/batch_norm.h"
#include "ops/communication.h"
#include "ops/elementwise.h"

namespace jcs {

namespace {

/// running ← running + (momentum · correction · batch − momentum · running): the sum is taken where `running` lies.
void follow(Value running, Value batch, float momentum, float correction = 1) {
  const Value change = subtract(multiply(batch, momentum * correction), multiply(running, momentum));
  running.graph->assign(running, add(running, change));
}

/// Normalised by the statistics of all ranks' values. Each rank's own normalisation is undone and done again in one
/// affine step per channel; mean and variance come from the ranks' means and variances, whose sums lose no digits where
/// a mean is far from zero.
BatchNormResult synchronizedBatchNorm(Value x, Value gamma, Value beta, float epsilon, int64_t ranks) {
  Graph& graph = *x.graph;
  const Shape channels{x.shape().channels()};
  Tensor ones(DType::kF32, channels);
  std::ranges::fill(ones.as<float>(), 1.0f);
  const BatchNormResult own =
      batchNorm(x, graph.constant(std::move(ones)), graph.constant(Tensor::zeros(DType::kF32, channels)), epsilon);
  const auto overRanks = [&](Value value) { return multiply(allReduce(value), 1 / static_cast<float>(ranks)); };
  const Value mean = overRanks(own.mean);
  const Value distance = subtract(own.mean, mean);
  const Value variance = overRanks(add(own.variance, multiply(distance, distance)));
  const Value scale = divide(gamma, sqrt(add(variance, epsilon)));
  return {affine(own.y, multiply(scale, sqrt(add(own.variance, epsilon))), add(beta, multiply(scale, distance))), mean,
          variance};
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
  const bool isSynchronized = options.mode == BatchNormMode::kSynchronized;
  if (!options.training || !(isSynchronized || options.mode == BatchNormMode::kBatch))
    return batchNormInference(x, gamma, beta, mean, variance, options.epsilon);

  require(options.epsilon > 0, errors::kInvalidArgument, [&] {
    return "batch norm '" + scope.path() +
           "' has no epsilon, as in the authors' checkpoints, and cannot be trained on batch statistics; use "
           "batchNorm: 'frozen' or 'eval', or a network that was not loaded from such a checkpoint";
  });
  const int64_t ranks = isSynchronized ? options.ranks : 1;
  const BatchNormResult result = ranks > 1 ? synchronizedBatchNorm(x, gamma, beta, options.epsilon, ranks)
                                           : batchNorm(x, gamma, beta, options.epsilon);
  const auto count = static_cast<float>(x.shape().rows() * ranks);
  follow(mean, result.mean, options.momentum);
  follow(variance, result.variance, options.momentum, count / (count - 1));
  return result.y;
}

}  // namespace jcs
