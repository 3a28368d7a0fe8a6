#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace jcs::data {

/// A mask with one bit a pixel, rows one after the other, the lowest bit of a byte first: an eighth of the memory.
class BitMask {
 public:
  BitMask() = default;
  /// `mask`: nonzero = inside.
  explicit BitMask(std::span<const uint8_t> mask);
  /// Bits as `bits` gives them, of as many pixels.
  BitMask(std::vector<std::byte> bits, int64_t pixels);

  std::span<const std::byte> bits() const { return bits_; }
  /// One byte a pixel, 0 or 1.
  std::vector<uint8_t> bytes() const;

 private:
  std::vector<std::byte> bits_;
  int64_t pixels_ = 0;
};

/// Whether every value is 0 or 1.
bool isBinary(std::span<const uint8_t> mask);

}  // namespace jcs::data
