#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "core/error.h"

namespace jcs {

/// kU8: bytes that ops read and write as they are: pixels, masks, tables of records, and what stands for numbers in
/// convolutions of 8 bits (ops/quantized.h). No cast converts them.
enum class DType : uint8_t { kF32, kBF16, kF64, kU8 };

inline int64_t sizeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32: return 4;
    case DType::kBF16: return 2;
    case DType::kF64: return 8;
    case DType::kU8: return 1;
  }
  return 0;
}
inline const char* nameOf(DType dtype) {
  switch (dtype) {
    case DType::kF32: return "f32";
    case DType::kBF16: return "bf16";
    case DType::kF64: return "f64";
    case DType::kU8: return "u8";
  }
  return "";
}

/// The upper half of a float32.
struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value) {
    uint32_t raw = std::bit_cast<uint32_t>(value);
    if ((raw & 0x7fffffffu) > 0x7f800000u) {
      bits = static_cast<uint16_t>((raw >> 16) | 0x40u);  // keeps a NaN a NaN
    } else {
      bits = static_cast<uint16_t>((raw + 0x7fffu + ((raw >> 16) & 1u)) >> 16);  // round to nearest even
    }
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

}  // namespace jcs
