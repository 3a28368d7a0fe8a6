#include "data/bit_mask.h"

#include <algorithm>

#include "native/harness.h"

using namespace jcs;

TEST("bit mask: the lowest bit of a byte is its first pixel, and nonzero is inside") {
  const std::vector<uint8_t> mask{1, 0, 0, 255, 0, 0, 0, 128, 0, 2, 0};
  const data::BitMask bits(mask);
  const std::vector<std::byte> expected{std::byte{0b10001001}, std::byte{0b10}};
  CHECK(std::ranges::equal(bits.bits(), expected));
  CHECK(bits.bytes() == std::vector<uint8_t>({1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0}));
  CHECK(data::BitMask(expected, 11).bytes() == bits.bytes());
}

TEST("bit mask: every pattern of eight, and every length") {
  for (int pattern = 0; pattern < 256; ++pattern) {
    std::vector<uint8_t> mask;
    for (int bit = 0; bit < 8; ++bit) mask.push_back(static_cast<uint8_t>(pattern >> bit & 1));
    CHECK(data::BitMask(mask).bits()[0] == static_cast<std::byte>(pattern) && data::BitMask(mask).bytes() == mask);
  }
  for (size_t length = 0; length < 40; ++length) {
    std::vector<uint8_t> mask;
    for (size_t i = 0; i < length; ++i) mask.push_back(i % 3 == 1);
    CHECK(data::BitMask(mask).bits().size() == (length + 7) / 8 && data::BitMask(mask).bytes() == mask);
    CHECK(data::isBinary(mask));
    if (length == 0) continue;
    mask.back() = 2;
    CHECK(!data::isBinary(mask));
  }
}
