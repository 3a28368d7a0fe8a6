#include "data/slice.h"

#include <cmath>
#include <cstring>

#include "core/error.h"

namespace jcs::data {

namespace {

std::string sizeText(const SliceInfo& info) { return std::to_string(info.width) + "×" + std::to_string(info.height); }

bool isPositive(double mm) { return std::isfinite(mm) && mm > 0; }

void requireFinite(const SliceInfo& info, std::span<const std::byte> floats) {
  for (size_t i = 0; i < floats.size() / 4; ++i) {
    float value;
    std::memcpy(&value, floats.data() + 4 * i, 4);
    require(std::isfinite(value), errors::kNotFinite, [&] {
      const int64_t pixel = static_cast<int64_t>(i) / info.channels;
      return "the image's pixel in column " + std::to_string(pixel % info.width) + ", row " +
             std::to_string(pixel / info.width) + " is not a finite number";
    });
  }
}

}  // namespace

void validate(const IntensityWindow& window, const char* what) {
  require(std::isfinite(window.low()) && isPositive(window.width), errors::kInvalidArgument,
          [&] { return std::string(what) + " has a window that is not finite, or not wider than nothing"; });
}

void validate(const SliceInfo& info, std::span<const std::byte> pixels) {
  require(info.width > 0 && info.height > 0, errors::kInvalidArgument,
          [&] { return "an image of " + sizeText(info) + " pixels has nothing in it"; });
  require(info.channels == 1 || info.channels == 3, errors::kInvalidArgument, [&] {
    return "an image has " + std::to_string(info.channels) + " channels; 1 (gray) and 3 (RGB) are understood";
  });
  require(info.width <= kMaxImagePixels && info.height <= kMaxImagePixels / info.width, errors::kInputTooLarge, [&] {
    return "an image of " + sizeText(info) + " pixels is larger than the limit of 2^28 pixels; scale it down";
  });
  require(static_cast<int64_t>(pixels.size()) == info.imageBytes(), errors::kInvalidArgument, [&] {
    return "an image of " + sizeText(info) + " pixels and " + std::to_string(info.channels) + " channels takes " +
           std::to_string(info.imageBytes()) + " bytes, got " + std::to_string(pixels.size());
  });
  if (info.window) validate(*info.window, "an image");
  require(!info.spacing || (isPositive(info.spacing->row) && isPositive(info.spacing->column)),
          errors::kInvalidArgument, "spacing must be two positive numbers of millimetres, row then column");
  require(info.label >= -1 && info.label <= 1, errors::kInvalidArgument,
          [&] { return "a label is " + std::to_string(info.label) + "; it must be 0 or 1, or −1 for none"; });
  if (info.format == PixelFormat::kF32) requireFinite(info, pixels);
}

ImageRecord imageRecord(const SliceInfo& slice, const IntensityWindow& window, int64_t offset, int64_t height,
                        int64_t width) {
  ImageRecord source;
  source.offset = offset;
  source.width = static_cast<int32_t>(slice.width);
  source.height = static_cast<int32_t>(slice.height);
  source.channels = static_cast<int32_t>(slice.channels);
  source.format = slice.format;
  source.resizedWidth = static_cast<int32_t>(width);
  source.resizedHeight = static_cast<int32_t>(height);
  const IntensityWindow used = slice.isSigned() ? slice.window.value_or(window) : IntensityWindow{};
  source.windowLow = static_cast<float>(used.low());
  source.windowWidth = static_cast<float>(used.width);
  return source;
}

}  // namespace jcs::data
