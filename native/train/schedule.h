#pragma once

#include <cstdint>
#include <vector>

namespace jcs::train {

/// Learning rate as a function of the iteration alone, so that a resumed run needs no state for it.
struct Schedule {
  enum class Kind { kConstant, kStep, kPoly, kCosine };
  Kind kind = Kind::kConstant;
  double learningRate = 0.1;  ///< the base
  int64_t stepEpochs = 30;    ///< kStep: multiplied by `gamma` every so many epochs (section V-B: ÷10 every 30)
  double gamma = 0.1;
  std::vector<int64_t> milestones = {};  ///< kStep: instead of `stepEpochs`, after how many epochs
  double power = 0.9;                    ///< kPoly: base · (1 − iteration/iterations)^power
  int64_t warmupIterations = 0;  ///< the rate rises linearly from `warmupFactor` · base over so many iterations
  double warmupFactor = 0.1;
  /// The authors' code warms up in the first epoch alone: a shorter epoch cuts it off, and the rate jumps.
  bool warmupInFirstEpochOnly = false;
};

/// The rate of 0-based `iteration` in a run of `iterations`, `iterationsPerEpoch` of them in an epoch. With warm-up,
/// iteration i < warmupIterations uses base · (warmupFactor + (1 − warmupFactor)·(i + 1)/warmupIterations); the decay
/// counts from the first iteration all the same, except that a cosine starts after it.
double learningRateAt(const Schedule& schedule, int64_t iteration, int64_t iterationsPerEpoch, int64_t iterations);

}  // namespace jcs::train
