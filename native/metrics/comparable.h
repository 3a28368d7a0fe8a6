#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace jcs::metrics {

/// One probability for each of `truths`, of which there is at least one: INVALID_ARGUMENT when the lengths differ or
/// are 0 or a value is outside [0, 1], but for rounding; NOT_FINITE for NaN and infinities. `what` is plural.
void requireComparable(std::span<const float> values, size_t truths, const char* what);
/// The same for labels, which are 0 or 1.
void requireLabelled(std::span<const float> probabilities, std::span<const uint8_t> labels);

}  // namespace jcs::metrics
