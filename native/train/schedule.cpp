#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace jcs::train {

double learningRateAt(const Schedule& s, int64_t iteration, int64_t iterationsPerEpoch, int64_t iterations) {
  const bool inWarmup = iteration < s.warmupIterations && (!s.warmupInFirstEpochOnly || iteration < iterationsPerEpoch);
  if (inWarmup) {
    const double progress = static_cast<double>(iteration + 1) / static_cast<double>(s.warmupIterations);
    return s.learningRate * (s.warmupFactor + (1 - s.warmupFactor) * progress);
  }
  const auto fraction = [](int64_t done, int64_t total) {
    return std::clamp(static_cast<double>(done) / static_cast<double>(std::max<int64_t>(total, 1)), 0.0, 1.0);
  };
  switch (s.kind) {
    case Schedule::Kind::kConstant: return s.learningRate;
    case Schedule::Kind::kStep: {
      const int64_t epoch = iteration / std::max<int64_t>(iterationsPerEpoch, 1);
      const int64_t steps = s.milestones.empty()
                                ? epoch / std::max<int64_t>(s.stepEpochs, 1)
                                : std::ranges::count_if(s.milestones, [&](int64_t after) { return after <= epoch; });
      return s.learningRate * std::pow(s.gamma, static_cast<double>(steps));
    }
    case Schedule::Kind::kPoly: return s.learningRate * std::pow(1 - fraction(iteration, iterations), s.power);
    case Schedule::Kind::kCosine: {
      const double t = fraction(iteration - s.warmupIterations, iterations - s.warmupIterations);
      return s.learningRate * 0.5 * (1 + std::cos(std::numbers::pi * t));
    }
  }
  return s.learningRate;
}

}  // namespace jcs::train
