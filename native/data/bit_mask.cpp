#include "data/bit_mask.h"

#include "core/error.h"

namespace jcs {

BitMask::BitMask(std::span<const uint8_t> mask)
    : bits_((mask.size() + 7) / 8, std::byte{0}), pixels_(static_cast<int64_t>(mask.size())) {
  for (size_t i = 0; i < mask.size(); ++i) bits_[i / 8] |= std::byte{mask[i] != 0} << (i % 8);
}

BitMask::BitMask(std::vector<std::byte> bits, int64_t pixels) : bits_(std::move(bits)), pixels_(pixels) {
  invariant(static_cast<int64_t>(bits_.size()) == (pixels + 7) / 8, "a mask has bits for other pixels than its own");
}

std::vector<uint8_t> BitMask::bytes() const {
  std::vector<uint8_t> mask(static_cast<size_t>(pixels_));
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = std::to_integer<uint8_t>(bits_[i / 8] >> (i % 8)) & 1;
  return mask;
}

}  // namespace jcs
