#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/dtype.h"
#include "ops/activation.h"

// Loops are compiled once per instruction set. What they call must be inlined into them (JCS_INLINE), else it is
// compiled for the baseline. There are two ways: loops that the compiler vectorises by itself are functions marked
// JCS_VECTORISED; those over blocks of numbers, which compare and select, are given to `vectorised`, and told how many
// numbers a register holds. GCC makes scalar code of a selection between vectors wider than the registers.

/// Compiles a function once per instruction set; the dynamic linker picks the processor's.
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

/// Numbers side by side. Functions of numbers below take one float or a vector of them, so that a loop is written once
/// for blocks and for what is left over.
template <int64_t kCount>
struct Lanes {
  static constexpr int64_t count = kCount;
  using Floats [[gnu::vector_size(kCount * 4)]] = float;
  using Words [[gnu::vector_size(kCount * 4)]] = uint32_t;
  using Flags [[gnu::vector_size(kCount * 4)]] = int32_t;  // of a comparison: −1 where it holds
  using HalfWords [[gnu::vector_size(kCount * 2)]] = uint16_t;
  using Bytes [[gnu::vector_size(kCount)]] = uint8_t;
  using Doubles [[gnu::vector_size(kCount * 8)]] = double;
};

/// Packed weights and sums are padded to so many numbers, whatever a register holds: a register of AVX-512.
inline constexpr int64_t kLanes = 16;
using Floats = Lanes<kLanes>::Floats;  // for JCS_VECTORISED loops: one register, or several
using Flags = Lanes<kLanes>::Flags;

template <typename Number>
concept Vector = !std::is_arithmetic_v<Number>;
/// The lanes that a vector's numbers lie in.
template <Vector Number>
using LanesOf = Lanes<sizeof(Number) / 4>;

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };
/// The widest that the processor has and oneDNN uses, which ONEDNN_MAX_CPU_ISA limits.
InstructionSet usedInstructionSet();
inline const InstructionSet kInstructionSet = usedInstructionSet();

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
template <typename Loop>
[[gnu::noinline, gnu::target("arch=x86-64-v4")]] auto runOnAvx512(Loop loop) {
  return loop(Lanes<16>());
}
template <typename Loop>
[[gnu::noinline, gnu::target("arch=x86-64-v3")]] auto runOnAvx2(Loop loop) {
  return loop(Lanes<8>());
}
#endif

/// loop(Lanes<…>()), compiled for each instruction set, on the processor's. The loop and the lambdas in it are inlined
/// (JCS_INLINE_LAMBDA); it should capture by value what it reads in its loops, or the compiler has to assume that they
/// write it.
template <typename Loop>
auto vectorised(Loop loop) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  if (kInstructionSet == InstructionSet::kAvx512) return runOnAvx512(loop);
  if (kInstructionSet == InstructionSet::kAvx2) return runOnAvx2(loop);
#endif
  return loop(Lanes<4>());
}

JCS_INLINE uint32_t bitsOf(float x) { return std::bit_cast<uint32_t>(x); }
template <Vector Number>
JCS_INLINE auto bitsOf(const Number& x) {
  return reinterpret_cast<typename LanesOf<Number>::Words>(x);
}
JCS_INLINE float floatOf(uint32_t bits) { return std::bit_cast<float>(bits); }
template <Vector Bits>
JCS_INLINE auto floatOf(const Bits& bits) {
  return reinterpret_cast<typename LanesOf<Bits>::Floats>(bits);
}

/// x where `condition` holds, else 0.
JCS_INLINE float keepWhere(bool condition, float x) { return condition ? x : 0.0f; }
template <Vector Number>
JCS_INLINE Number keepWhere(const typename LanesOf<Number>::Flags& condition, const Number& x) {
  return reinterpret_cast<Number>(condition & reinterpret_cast<typename LanesOf<Number>::Flags>(x));
}

/// Reads one number, or a vector of them.
template <typename Number = float, typename T>
JCS_INLINE Number load(const T* p) {
  if constexpr (std::is_same_v<Number, float>) {
    if constexpr (std::is_same_v<T, float>)
      return *p;
    else
      return floatOf(static_cast<uint32_t>(p->bits) << 16);
  } else if constexpr (std::is_same_v<T, float>) {
    Number x;
    std::memcpy(&x, p, sizeof x);
    return x;
  } else {
    typename LanesOf<Number>::HalfWords x;
    std::memcpy(&x, p, sizeof x);
    return floatOf(__builtin_convertvector(x, typename LanesOf<Number>::Words) << 16);
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
template <Vector Number>
JCS_INLINE void store(float* p, const Number& x) {
  std::memcpy(p, &x, sizeof x);
}
template <Vector Number>
JCS_INLINE void store(BFloat16* p, const Number& x) {
  using HalfWords = typename LanesOf<Number>::HalfWords;
  const HalfWords bits = __builtin_convertvector(roundToBFloat16(bitsOf(x)), HalfWords);
  std::memcpy(&p->bits, &bits, sizeof bits);
}

/// Names a number type to the loop bodies below.
template <typename Number>
struct As {};

/// Calls body(As<Number>(), i) for blocks of a register's numbers at i that cover [0, count), or for single ones where
/// there are fewer. Lines are often as short as the 26 channels of a Res2Net slice, and a scalar loop over what blocks
/// leave would be most of the work; instead the last block overlaps the one before it.
template <typename L, typename Body>
JCS_INLINE void forEachBlock(int64_t count, const Body& body) {
  if (count < L::count) {
    for (int64_t i = 0; i < count; ++i) body(As<float>(), i);
    return;
  }
  for (int64_t i = 0; i <= count - L::count; i += L::count) body(As<typename L::Floats>(), i);
  if (count % L::count != 0) body(As<typename L::Floats>(), count - L::count);
}

/// y[i] = value(As<Number>(), i) for i in [0, count). `value` may read y[i], but no other element of y.
template <typename L, typename Y, typename Value>
JCS_INLINE void mapLine(Y* y, int64_t count, const Value& value) {
  if (count < L::count) {
    for (int64_t i = 0; i < count; ++i) store(y + i, value(As<float>(), i));
    return;
  }
  using Block = As<typename L::Floats>;
  const int64_t last = count - L::count;
  const auto kept = value(Block(), last);  // before the block that it overlaps is overwritten
  for (int64_t i = 0; i < last; i += L::count) store(y + i, value(Block(), i));
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
