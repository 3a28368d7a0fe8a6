#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace jcs {

enum class PixelFormat { kU8, kU16, kF32 };

/// A decoded image as TypeScript hands it over: rows top to bottom, channels interleaved. Values mean value/255,
/// value/65535, or for floats themselves, in [0, 1].
struct Pixels {
  std::vector<std::byte> data;
  PixelFormat format = PixelFormat::kU8;
  int64_t width = 0, height = 0;
  int64_t channels = 1;  ///< 1 or 3
};

/// Throws INVALID_ARGUMENT for sizes that contradict the data, NOT_FINITE for NaN or infinite floats, INPUT_TOO_LARGE
/// beyond 2^28 pixels.
void validate(const Pixels& pixels);

struct Normalization {
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> deviation{0.229f, 0.224f, 0.225f};
};

/// The image as height × width × 3 floats in [0, 1], gray replicated, resized bilinearly with antialiasing (a triangle
/// filter as wide as the reduction: PIL's and torch's antialias=True); not normalised. Written to `rgb`.
void resizeToRgb(const Pixels& pixels, int64_t height, int64_t width, std::span<float> rgb);
/// (x − mean) / deviation in place, over pixels of three channels.
void normalize(std::span<float> rgb, const Normalization& normalization);
/// resizeToRgb and normalize of a whole batch: N×height×width×3.
Tensor toBatch(std::span<const Pixels* const> images, int64_t height, int64_t width,
               const Normalization& normalization);

}  // namespace jcs
