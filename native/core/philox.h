#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace jcs {

/// What a random stream is for; part of its key, so that streams never share numbers.
enum class RandomPurpose : uint32_t {
  kInitialise = 1,
  kShuffle = 2,
  kAugment = 3,
  kMix = 4,
  kNoise = 6,
  kWindow = 7,
  kBootstrap = 8,
  kElastic = 9,
};

/// Philox4x32-10 (Salmon et al., SC'11): a counter-based generator. A stream is named by (seed, epoch, sample, purpose)
/// and therefore does not depend on how many threads draw from how many streams, or in which order.
class Philox {
 public:
  Philox(uint64_t seed, uint32_t epoch, uint32_t sample, RandomPurpose purpose)
      : counter_{0, static_cast<uint32_t>(purpose), epoch, sample},
        key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)} {}

  uint32_t next() {
    if (used_ == 4) refill();
    return block_[used_++];
  }
  /// Uniform in [0, 1), 24 bits.
  float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, bound), without modulo bias (Lemire).
  uint32_t below(uint32_t bound) {
    uint64_t product = uint64_t{next()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = (0u - bound) % bound;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }
  /// Standard normal (Box–Muller, one of the pair).
  float normal() {
    const double u = (static_cast<double>(next()) + 1.0) * 0x1p-32;
    const double v = static_cast<double>(next()) * 0x1p-32;
    return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
  }
  /// Gamma(shape, 1) by Marsaglia and Tsang, boosted for shape < 1.
  double gamma(double shape);
  /// Beta(alpha, alpha), the mixing coefficient of eq. 3.
  double beta(double alpha);

 private:
  void refill();

  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> block_{};
  size_t used_ = 4;
};

}  // namespace jcs
