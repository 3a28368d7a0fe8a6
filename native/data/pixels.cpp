#include "data/pixels.h"

#include <cmath>
#include <cstring>
#include <string>

#include "core/error.h"

namespace jcs {

namespace {

std::string sizeText(const Pixels& pixels) {
  return std::to_string(pixels.width) + "×" + std::to_string(pixels.height);
}

}  // namespace

void validate(const Pixels& pixels) {
  require(pixels.width > 0 && pixels.height > 0, errors::kInvalidArgument,
          [&] { return "an image of " + sizeText(pixels) + " pixels has nothing in it"; });
  require(pixels.channels == 1 || pixels.channels == 3, errors::kInvalidArgument, [&] {
    return "an image has " + std::to_string(pixels.channels) + " channels; 1 (gray) and 3 (RGB) are understood";
  });
  require(pixels.width <= kMaxImagePixels && pixels.height <= kMaxImagePixels / pixels.width, errors::kInputTooLarge,
          [&] {
            return "an image of " + sizeText(pixels) + " pixels is larger than the limit of 2^28 pixels; scale it down";
          });
  const int64_t wanted = pixels.width * pixels.height * pixels.channels * bytesOf(pixels.format);
  require(static_cast<int64_t>(pixels.data.size()) == wanted, errors::kInvalidArgument, [&] {
    return "an image of " + sizeText(pixels) + " pixels and " + std::to_string(pixels.channels) + " channels takes " +
           std::to_string(wanted) + " bytes, got " + std::to_string(pixels.data.size());
  });
  const IntensityWindow& window = pixels.window;
  require(std::isfinite(window.low) && std::isfinite(window.width) && window.width > 0, errors::kInvalidArgument,
          "an image's window is not finite, or not wider than nothing");
  if (pixels.format != PixelFormat::kF32) return;
  for (int64_t i = 0; i < wanted / 4; ++i) {
    float value;
    std::memcpy(&value, pixels.data.data() + 4 * i, 4);
    require(std::isfinite(value), errors::kNotFinite, [&] {
      const int64_t pixel = i / pixels.channels;
      return "the image's pixel in column " + std::to_string(pixel % pixels.width) + ", row " +
             std::to_string(pixel / pixels.width) + " is not a finite number";
    });
  }
}

}  // namespace jcs
