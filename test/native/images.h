#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "data/slice.h"

namespace jcs {

/// A slice of these values, whatever they mean in `format`.
template <typename Value>
data::DecodedSlice sliceOf(PixelFormat format, int64_t width, int64_t height, std::span<const Value> values,
                           int64_t channels = 1) {
  data::DecodedSlice slice;
  slice.info.format = format;
  slice.info.width = width;
  slice.info.height = height;
  slice.info.channels = channels;
  const auto bytes = std::as_bytes(values);
  slice.pixels.assign(bytes.begin(), bytes.end());
  return slice;
}

inline data::DecodedSlice grayImage(int64_t width, int64_t height, auto&& valueAt) {
  std::vector<uint8_t> values;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) values.push_back(static_cast<uint8_t>(valueAt(x, y)));
  return sliceOf<uint8_t>(PixelFormat::kU8, width, height, values);
}

inline data::DecodedSlice floatImage(int64_t width, int64_t height, const std::vector<float>& values) {
  return sliceOf<float>(PixelFormat::kF32, width, height, values);
}

}  // namespace jcs
