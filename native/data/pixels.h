#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ops/pixel_records.h"

namespace jcs {

/// Which values of a signed image are stretched over [0, 1], in its own units (HU): [low, low + width].
struct IntensityWindow {
  float low = 0, width = 1;
};

/// A decoded image as TypeScript hands it over: rows top to bottom, channels interleaved. Values mean value/255,
/// value/65535, for floats themselves, in [0, 1], and for signed ones the place in the window, 0 or 1 outside.
struct Pixels {
  std::vector<std::byte> data;
  PixelFormat format = PixelFormat::kU8;
  int64_t width = 0, height = 0;
  int64_t channels = 1;  ///< 1 or 3
  IntensityWindow window;
};

/// Throws INVALID_ARGUMENT for sizes that contradict the data and for windows that are not finite or not wider than
/// nothing, NOT_FINITE for NaN or infinite floats, INPUT_TOO_LARGE beyond 2^28 pixels.
void validate(const Pixels& pixels);

struct Normalization {
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> deviation{0.229f, 0.224f, 0.225f};
};

/// Samples begin at multiples of this in the bytes of a batch, so that values of every format are aligned.
inline constexpr int64_t kSampleAlignment = 16;
inline int64_t alignedSample(int64_t bytes) {
  return (bytes + kSampleAlignment - 1) / kSampleAlignment * kSampleAlignment;
}

/// The record of an image whose bytes begin at `offset`, resized whole to height × width. `Image`: Pixels, or the Info
/// of a PackedDataset.
template <typename Image>
ImageSource imageSource(const Image& image, int64_t offset, int64_t height, int64_t width) {
  ImageSource source;
  source.offset = offset;
  source.width = static_cast<int32_t>(image.width);
  source.height = static_cast<int32_t>(image.height);
  source.channels = static_cast<int32_t>(image.channels);
  source.format = image.format;
  source.resizedWidth = static_cast<int32_t>(width);
  source.resizedHeight = static_cast<int32_t>(height);
  source.windowLow = image.window.low;
  source.windowWidth = image.window.width;
  return source;
}

}  // namespace jcs
