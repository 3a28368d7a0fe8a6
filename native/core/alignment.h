#pragma once

#include <cstdint>

namespace jcs {

/// Bytes: tensors and buffers begin at multiples of it, a cache line. Kernels rely on that for operands that are not
/// part of another.
inline constexpr int64_t kMemoryAlignment = 64;

constexpr int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUp(int64_t value, int64_t multiple) { return divideUp(value, multiple) * multiple; }
constexpr int64_t alignedUp(int64_t bytes) { return roundUp(bytes, kMemoryAlignment); }

}  // namespace jcs
