#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/dtype.h"
#include "ops/activation.h"

/// Compiles a function once per instruction set; the dynamic linker picks the processor's. What such a function calls
/// in its loops must be inlined into it (JCS_INLINE), else it is compiled for the baseline. GCC vectorises the loops.
/// The sanitizers cannot start before the linker's choice, so there is no choice under them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define JCS_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define JCS_VECTORISED
#endif
#define JCS_INLINE [[gnu::always_inline]] inline

namespace jcs::cpu {

JCS_INLINE float load(const float* p) { return *p; }
JCS_INLINE float load(const BFloat16* p) { return std::bit_cast<float>(static_cast<uint32_t>(p->bits) << 16); }

JCS_INLINE void store(float* p, float value) { *p = value; }
/// Rounds to nearest even, as the constructor of BFloat16, but without a branch.
JCS_INLINE void store(BFloat16* p, float value) {
  const uint32_t raw = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (raw + 0x7fffu + ((raw >> 16) & 1u)) >> 16;
  const uint32_t quietNan = (raw >> 16) | 0x40u;
  p->bits = static_cast<uint16_t>((raw & 0x7fffffffu) > 0x7f800000u ? quietNan : rounded);
}

/// e^x to about 2 units in the last place, branch-free; saturates where float32 over- or underflows.
JCS_INLINE float expOf(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer, kept in the low bits
  x = x > 88.0f ? 88.0f : x;
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t power = (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound) + 127u) << 23;
  return p * std::bit_cast<float>(power);
}

JCS_INLINE float sigmoidOf(float x) { return 1.0f / (1.0f + expOf(-x)); }

/// What the fusable activations do to a result. ReLU is a maximum with 0 and none one with −∞, so that both share a
/// loop; a NaN stays one.
struct Epilogue {
  float low;
  bool sigmoid;

  explicit Epilogue(Activation activation)
      : low(activation == Activation::kRelu ? 0.0f : -std::numeric_limits<float>::infinity()),
        sigmoid(activation == Activation::kSigmoid) {}
  JCS_INLINE float operator()(float x) const { return sigmoid ? sigmoidOf(x) : x < low ? low : x; }
};

/// Calls `body` with a null pointer of the element type, which names it.
template <typename Body>
auto withElement(DType dtype, Body&& body) {
  invariant(dtype == DType::kF32 || dtype == DType::kBF16, "the CPU backend computes in float32 and bf16 only");
  return dtype == DType::kF32 ? body(static_cast<float*>(nullptr)) : body(static_cast<BFloat16*>(nullptr));
}

}  // namespace jcs::cpu
