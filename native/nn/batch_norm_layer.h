#pragma once

#include "graph/scope.h"

namespace jcs {

/// Which statistics a batch norm uses in training, and what of it is learnt.
enum class BatchNormMode {
  kBatch,  ///< the batch's own, of ranks each part's; the stored ones follow by `momentum`; scale and shift are learnt
  kSynchronized,  ///< those of the batch that all ranks share; otherwise as kBatch
  kEval,          ///< the stored ones; scale and shift are learnt
  kFrozen,        ///< the stored ones; nothing is learnt
};

inline constexpr float kBatchNormEpsilon = 1e-5f;

struct NormOptions {
  BatchNormMode mode = BatchNormMode::kBatch;
  bool training = false;  ///< outside training every mode uses the stored statistics
  float epsilon = kBatchNormEpsilon;
  float momentum = 0.1f;  ///< share of the batch's statistics in the stored ones, as in PyTorch
  int64_t ranks = 1;      ///< that share a batch
};

/// Batch normalisation of x N×H×W×C by scope.weight, .bias, .running_mean and .running_var, all [C]. In `kBatch`
/// training the running statistics are assigned at the end of the run, the variance unbiased (PyTorch's rule).
/// Throws BATCH_NORM_BATCH_TOO_SMALL when batch statistics would be those of one value per channel, and
/// INVALID_ARGUMENT when they would be used without epsilon: a constant channel would be divided by zero.
Value batchNorm(const Scope& scope, Value x, const NormOptions& options);

}  // namespace jcs
