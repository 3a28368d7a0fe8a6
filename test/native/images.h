#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "data/pixels.h"

namespace jcs {

inline Pixels grayImage(int64_t width, int64_t height, auto&& valueAt) {
  Pixels pixels{{}, PixelFormat::kU8, width, height, 1, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) pixels.data.push_back(static_cast<std::byte>(valueAt(x, y)));
  return pixels;
}

inline Pixels floatImage(int64_t width, int64_t height, std::vector<float> values) {
  Pixels pixels{{}, PixelFormat::kF32, width, height, 1, {}};
  const auto bytes = std::as_bytes(std::span(values));
  pixels.data.assign(bytes.begin(), bytes.end());
  return pixels;
}

}  // namespace jcs
