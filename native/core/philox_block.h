#pragma once

#include <cstdint>

#include "core/device_function.h"

namespace jcs {

/// 128 random bits.
struct PhiloxBlock {
  uint32_t words[4];
};

/// Philox4x32-10 (Salmon et al., SC'11): the block of a counter under a key.
JCS_DEVICE_FUNCTION inline PhiloxBlock philoxBlock(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  uint32_t* x = counter.words;
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * x[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * x[2];
    const uint32_t first = static_cast<uint32_t>(b >> 32) ^ x[1] ^ key0;
    const uint32_t third = static_cast<uint32_t>(a >> 32) ^ x[3] ^ key1;
    x[0] = first;
    x[1] = static_cast<uint32_t>(b);
    x[2] = third;
    x[3] = static_cast<uint32_t>(a);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

}  // namespace jcs
