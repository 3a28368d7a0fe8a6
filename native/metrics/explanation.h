#pragma once

#include "metrics/metrics.h"

namespace jcs::metrics {

/// How far from a lesion a map may point and still be right: pixels of a slice 512 pixels long on its longer side.
inline constexpr double kPointingTolerance = 15;

/// Whether the activation map of one slice points at its lesions.
///
/// - pointingGame: 1 when the map's maximum lies in a lesion or at most `kPointingTolerance` from one, else 0 (Zhang et
///   al., IJCV 2018, whose tolerance it is). Of several maxima, the share that does.
/// - massInLesions: Σ map inside lesions / Σ map (the energy-based pointing game of Wang et al., Score-CAM, 2020, with
///   masks for boxes).
/// - pointingGameAtRandom, massInLesionsAtRandom: what a random point in the lungs, and a map that is even over the
///   lungs, would score; NaN without lungs.
///
/// A map of zeros explains nothing and scores 0. `map`, values of at least 0, `lesions` and `lungs`, nonzero = inside:
/// height × width each, rows one after the other; `lungs` may be empty. INVALID_ARGUMENT when sizes differ, a value is
/// negative or no pixel is lesion; NOT_FINITE for NaN and infinities.
Metrics explanationMetrics(std::span<const float> map, std::span<const uint8_t> lesions, std::span<const uint8_t> lungs,
                           int64_t width, int64_t height);

}  // namespace jcs::metrics
