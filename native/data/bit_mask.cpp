#include "data/bit_mask.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"

namespace jcs::data {

namespace {

static_assert(std::endian::native == std::endian::little, "the first of eight bytes is the lowest of their word");

constexpr uint64_t kOnes = 0x0101010101010101u;

/// Up to eight bytes as a word, the rest of it 0.
uint64_t wordOf(std::span<const uint8_t> bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data(), std::min<size_t>(bytes.size(), 8));
  return word;
}

/// 1 for each byte that is not 0.
uint64_t flags(uint64_t word) { return ((((word & ~(kOnes << 7)) + (kOnes * 0x7f)) | word) >> 7) & kOnes; }

/// Calls body(i, word) for every eight bytes, the i-th of them first.
template <typename Body>
void forEachWord(std::span<const uint8_t> bytes, const Body& body) {
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) body(i, wordOf(bytes.subspan(i, 8)));  // of a size that memcpy knows
  if (i < bytes.size()) body(i, wordOf(bytes.subspan(i)));
}

}  // namespace

BitMask::BitMask(std::span<const uint8_t> mask)
    : bits_((mask.size() + 7) / 8), pixels_(static_cast<int64_t>(mask.size())) {
  // The product moves the flag of byte k to bit k of the highest byte, without carries.
  forEachWord(mask, [&](size_t i, uint64_t word) {
    bits_[i / 8] = static_cast<std::byte>(flags(word) * 0x0102040810204080u >> 56);
  });
}

BitMask::BitMask(std::vector<std::byte> bits, int64_t pixels) : bits_(std::move(bits)), pixels_(pixels) {
  invariant(static_cast<int64_t>(bits_.size()) == (pixels + 7) / 8, "a mask has bits for other pixels than its own");
}

std::vector<uint8_t> BitMask::bytes() const {
  std::vector<uint8_t> mask(8 * bits_.size());
  for (size_t i = 0; i < bits_.size(); ++i) {
    // Eight copies of the byte, of which the k-th keeps bit k.
    const uint64_t word = flags(std::to_integer<uint64_t>(bits_[i]) * kOnes & 0x8040201008040201u);
    std::memcpy(mask.data() + 8 * i, &word, 8);
  }
  mask.resize(static_cast<size_t>(pixels_));
  return mask;
}

bool isBinary(std::span<const uint8_t> mask) {
  uint64_t seen = 0;
  forEachWord(mask, [&](size_t, uint64_t word) { seen |= word; });
  return (seen & ~kOnes) == 0;
}

}  // namespace jcs::data
