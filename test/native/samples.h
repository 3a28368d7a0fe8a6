#pragma once

#include <string>

#include "data/slice_store.h"
#include "native/images.h"

namespace jcs {

/// Gray ramp in x and a mask of its right half.
inline data::DecodedSlice sampleOf(int seed, int label, bool masked) {
  data::DecodedSlice sample =
      grayImage(20, 16, [&](int64_t x, int64_t y) { return (x * 11 + y * 3 + seed * 29) % 256; });
  if (masked) {
    for (int64_t i = 0; i < 20 * 16; ++i) sample.mask.push_back(i % 20 >= 10);
  }
  sample.info.label = label;
  sample.info.patient = "p" + std::to_string(seed / 2);
  return sample;
}

}  // namespace jcs
