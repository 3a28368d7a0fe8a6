#pragma once

#include <initializer_list>
#include <type_traits>

#include "backend/cuda/kernels/platform.cuh"
#include "core/dtype.h"
#include "ops/activation.h"

/// Elements in memory, float or bf16, and groups of neighbouring ones in registers. All computing is in float.
namespace jcs::cuda {

using Bf16 = __nv_bfloat16;

/// Calls f(static_cast<T*>(nullptr)) with the element type of `dtype`.
template <typename F>
auto withElement(DType dtype, F&& f) {
  invariant(dtype != DType::kF64, "float64 reaches the CUDA backend");
  if (dtype == DType::kBF16) return f(static_cast<Bf16*>(nullptr));
  return f(static_cast<float*>(nullptr));
}

__device__ inline float toFloat(float x) { return x; }
__device__ inline float toFloat(Bf16 x) { return __bfloat162float(x); }
template <typename T>
__device__ inline T fromFloat(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return __float2bfloat16_rn(x);
  }
}

/// V neighbouring elements of a tensor in registers.
template <int V>
struct Lanes {
  float at[V];
};

/// V neighbouring elements in memory, read and written in accesses of up to 16 bytes.
template <typename T, int V>
struct alignas(sizeof(T) * V < 16 ? sizeof(T) * V : 16) Packed {
  T at[V];
};

template <int V, typename T>
__device__ inline Lanes<V> load(const T* from) {
  const Packed<T, V> packed = *reinterpret_cast<const Packed<T, V>*>(from);
  Lanes<V> lanes;
#pragma unroll
  for (int i = 0; i < V; ++i) lanes.at[i] = toFloat(packed.at[i]);
  return lanes;
}

template <int V, typename T>
__device__ inline void store(T* to, const Lanes<V>& lanes) {
  Packed<T, V> packed;
#pragma unroll
  for (int i = 0; i < V; ++i) packed.at[i] = fromFloat<T>(lanes.at[i]);
  *reinterpret_cast<Packed<T, V>*>(to) = packed;
}

template <int V>
__device__ inline Lanes<V> filled(float value) {
  Lanes<V> lanes;
#pragma unroll
  for (int i = 0; i < V; ++i) lanes.at[i] = value;
  return lanes;
}

/// A NaN stays one: a network that diverged must not look healthy.
__device__ inline float relu(float x) { return x < 0.0f ? 0.0f : x; }
__device__ inline float sigmoid(float x) {
  const float e = expf(-fabsf(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}
__device__ inline float activate(Activation activation, float x) {
  if (activation == Activation::kRelu) return relu(x);
  if (activation == Activation::kSigmoid) return sigmoid(x);
  return x;
}

/// An operand's memory as a launcher sees it: its rows are `stride` elements apart.
struct Memory {
  const void* data;
  int64_t stride;
  int64_t elementBytes;
};

/// The widest group of neighbours, 8, 4, 2 or 1, that divides `length` and is aligned in every row of every operand.
/// 8 only where it makes 16 bytes of some operand.
inline int laneCount(int64_t length, std::initializer_list<Memory> operands) {
  int64_t smallest = 4;
  for (const Memory& operand : operands) smallest = std::min(smallest, operand.elementBytes);
  for (int lanes = static_cast<int>(16 / smallest); lanes > 1; lanes /= 2) {
    bool fits = length % lanes == 0;
    for (const Memory& operand : operands) {
      const int64_t alignment = std::min<int64_t>(16, lanes * operand.elementBytes);
      fits = fits && operand.stride % lanes == 0 && reinterpret_cast<uintptr_t>(operand.data) % alignment == 0;
    }
    if (fits) return lanes;
  }
  return 1;
}

/// Calls f(std::integral_constant<int, lanes>).
template <typename F>
void withLanes(int lanes, F&& f) {
  switch (lanes) {
    case 8: return f(std::integral_constant<int, 8>());
    case 4: return f(std::integral_constant<int, 4>());
    case 2: return f(std::integral_constant<int, 2>());
    default: return f(std::integral_constant<int, 1>());
  }
}

/// Division by a number that only the host knows, as one multiplication while quotients of 31-bit numbers are asked
/// for (Granlund and Montgomery 1994).
class Divider {
 public:
  Divider() = default;
  /// For dividends up to `largest`.
  Divider(int64_t divisor, int64_t largest) : divisor_(divisor) {
    narrow_ = largest < (int64_t{1} << 31) && divisor < (int64_t{1} << 31);
    if (!narrow_) return;
    while ((int64_t{1} << shift_) < divisor) ++shift_;
    const uint64_t d = static_cast<uint64_t>(divisor);
    multiplier_ = static_cast<uint32_t>((uint64_t{1} << 32) * ((uint64_t{1} << shift_) - d) / d + 1);
  }

  __host__ __device__ int64_t divisor() const { return divisor_; }
  __device__ int64_t quotient(int64_t n) const {
    if (!narrow_) return n / divisor_;
    const uint32_t small = static_cast<uint32_t>(n);
    return static_cast<int64_t>((static_cast<uint32_t>((static_cast<uint64_t>(small) * multiplier_) >> 32) + small) >>
                                shift_);
  }
  /// n becomes the quotient; the remainder is returned.
  __device__ int64_t split(int64_t& n) const {
    const int64_t q = quotient(n), remainder = n - q * divisor_;
    n = q;
    return remainder;
  }

 private:
  int64_t divisor_ = 1;
  uint32_t multiplier_ = 1, shift_ = 0;
  bool narrow_ = true;
};

}  // namespace jcs::cuda
