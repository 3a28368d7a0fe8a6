#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/dtype.h"
#include "ops/activation.h"

/// Compiles a function once per instruction set; the dynamic linker picks the processor's. What such a function calls
/// in its loops must be inlined into it (JCS_INLINE), else it is compiled for the baseline.
/// The sanitizers cannot start before the linker's choice, so there is no choice under them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define JCS_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define JCS_VECTORISED
#endif
#define JCS_INLINE [[gnu::always_inline]] inline
/// The same for a lambda; goes before its `->` or body.
#define JCS_INLINE_LAMBDA __attribute__((always_inline))

// Vectors are passed between inlined functions only: there is no ABI to keep.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace jcs::cpu {

/// Sixteen floats: a register of AVX-512, two of AVX2's. Functions of numbers below take one float or these, so that a
/// loop is written once for blocks and for what is left over.
using Floats [[gnu::vector_size(64)]] = float;
using Words [[gnu::vector_size(64)]] = uint32_t;
using Flags [[gnu::vector_size(64)]] = int32_t;  // of a comparison: −1 where it holds
using HalfWords [[gnu::vector_size(32)]] = uint16_t;
using Bytes [[gnu::vector_size(16)]] = uint8_t;
inline constexpr int64_t kLanes = 16;

JCS_INLINE uint32_t bitsOf(float x) { return std::bit_cast<uint32_t>(x); }
JCS_INLINE Words bitsOf(const Floats& x) { return reinterpret_cast<Words>(x); }
JCS_INLINE float floatOf(uint32_t bits) { return std::bit_cast<float>(bits); }
JCS_INLINE Floats floatOf(const Words& bits) { return reinterpret_cast<Floats>(bits); }

/// x where `condition` holds, else 0.
JCS_INLINE float keepWhere(bool condition, float x) { return condition ? x : 0.0f; }
JCS_INLINE Floats keepWhere(const Flags& condition, const Floats& x) {
  return reinterpret_cast<Floats>(condition & reinterpret_cast<Flags>(x));
}

/// Reads one number, or with Number = Floats sixteen.
template <typename Number = float, typename T>
JCS_INLINE Number load(const T* p) {
  if constexpr (std::is_same_v<Number, float>) {
    if constexpr (std::is_same_v<T, float>)
      return *p;
    else
      return floatOf(static_cast<uint32_t>(p->bits) << 16);
  } else if constexpr (std::is_same_v<T, float>) {
    Floats x;
    std::memcpy(&x, p, sizeof x);
    return x;
  } else {
    HalfWords x;
    std::memcpy(&x, p, sizeof x);
    return floatOf(__builtin_convertvector(x, Words) << 16);
  }
}

/// The upper halves, rounded to nearest even; a NaN stays one.
template <typename Bits>
JCS_INLINE Bits roundToBFloat16(const Bits& raw) {
  const Bits rounded = (raw + 0x7fffu + ((raw >> 16) & 1u)) >> 16;
  const Bits quietNan = (raw >> 16) | 0x40u;
  return (raw & 0x7fffffffu) > 0x7f800000u ? quietNan : rounded;
}

JCS_INLINE void store(float* p, float x) { *p = x; }
JCS_INLINE void store(BFloat16* p, float x) { p->bits = static_cast<uint16_t>(roundToBFloat16(bitsOf(x))); }
JCS_INLINE void store(float* p, const Floats& x) { std::memcpy(p, &x, sizeof x); }
JCS_INLINE void store(BFloat16* p, const Floats& x) {
  const HalfWords bits = __builtin_convertvector(roundToBFloat16(bitsOf(x)), HalfWords);
  std::memcpy(&p->bits, &bits, sizeof bits);
}

/// Names a number type to the loop bodies below.
template <typename Number>
struct As {};

/// Calls body(As<Number>(), i) for blocks of sixteen numbers at i that cover [0, count), or for single ones where there
/// are fewer. Lines are often as short as the 26 channels of a Res2Net slice, and a scalar loop over what sixteens
/// leave would be most of the work; instead the last block overlaps the one before it.
template <typename Body>
JCS_INLINE void forEachBlock(int64_t count, const Body& body) {
  if (count < kLanes) {
    for (int64_t i = 0; i < count; ++i) body(As<float>(), i);
    return;
  }
  for (int64_t i = 0; i <= count - kLanes; i += kLanes) body(As<Floats>(), i);
  if (count % kLanes != 0) body(As<Floats>(), count - kLanes);
}

/// y[i] = value(As<Number>(), i) for i in [0, count). `value` may read y[i], but no other element of y.
template <typename Y, typename Value>
JCS_INLINE void mapLine(Y* y, int64_t count, const Value& value) {
  if (count < kLanes) {
    for (int64_t i = 0; i < count; ++i) store(y + i, value(As<float>(), i));
    return;
  }
  const int64_t last = count - kLanes;
  const Floats kept = value(As<Floats>(), last);  // before the block that it overlaps is overwritten
  for (int64_t i = 0; i < last; i += kLanes) store(y + i, value(As<Floats>(), i));
  store(y + last, kept);
}

/// Copies short lines without a call.
template <typename T>
JCS_INLINE void copyLine(T* to, const T* from, int64_t count) {
  auto* y = reinterpret_cast<std::byte*>(to);
  const auto* x = reinterpret_cast<const std::byte*>(from);
  const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
  if (bytes >= 2048) {
    std::memcpy(y, x, static_cast<size_t>(bytes));
  } else if (bytes >= 32) {
    for (int64_t i = 0; i < bytes - 32; i += 32) std::memcpy(y + i, x + i, 32);
    std::memcpy(y + bytes - 32, x + bytes - 32, 32);
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

/// e^x to about 2 units in the last place, branch-free; saturates where float32 over- or underflows.
template <typename Number>
JCS_INLINE Number expOf(const Number& exponent) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer, kept in the low bits
  Number x = exponent > 88.0f ? Number{} + 88.0f : exponent;
  x = x < -87.0f ? Number{} - 87.0f : x;
  const Number shifted = x * 1.44269504088896341f + kRound;
  const Number n = shifted - kRound;
  const Number r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  Number p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * floatOf((bitsOf(shifted) - (std::bit_cast<uint32_t>(kRound) - 127u)) << 23);
}

template <typename Number>
JCS_INLINE Number sigmoidOf(const Number& x) {
  return 1.0f / (1.0f + expOf<Number>(-x));
}

/// max(x, low), but a NaN stays one.
template <typename Number>
JCS_INLINE Number atLeast(const Number& x, float low) {
  return x < low ? Number{} + low : x;
}

/// What the fusable activations do to a result. ReLU is a maximum with 0 and none one with −∞, so that both share a
/// loop.
struct Epilogue {
  float low;
  bool sigmoid;

  explicit Epilogue(Activation activation)
      : low(activation == Activation::kRelu ? 0.0f : -std::numeric_limits<float>::infinity()),
        sigmoid(activation == Activation::kSigmoid) {}
};

/// Calls `body` with a null pointer of the element type, which names it.
template <typename Body>
auto withElement(DType dtype, Body&& body) {
  invariant(dtype == DType::kF32 || dtype == DType::kBF16, "the CPU backend computes in float32 and bf16 only");
  return dtype == DType::kF32 ? body(static_cast<float*>(nullptr)) : body(static_cast<BFloat16*>(nullptr));
}

}  // namespace jcs::cpu
