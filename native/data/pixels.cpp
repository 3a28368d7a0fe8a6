#include "data/pixels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace jcs {

namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 28;

int64_t bytesOf(PixelFormat format) { return format == PixelFormat::kU8 ? 1 : format == PixelFormat::kU16 ? 2 : 4; }

std::string sizeText(const Pixels& pixels) {
  return std::to_string(pixels.width) + "×" + std::to_string(pixels.height);
}

/// What each output position takes from one axis of the source: `weights[first[i]..]` for `count` inputs from `begin`.
struct AxisFilter {
  struct Window {
    int64_t begin, count;
    size_t firstWeight;
  };
  std::vector<Window> windows;
  std::vector<float> weights;

  AxisFilter(int64_t input, int64_t output) {
    const double scale = static_cast<double>(input) / static_cast<double>(output);
    const double radius = std::max(scale, 1.0);  // the triangle widens with the reduction, and never narrows
    windows.reserve(static_cast<size_t>(output));
    for (int64_t i = 0; i < output; ++i) {
      const double centre = (static_cast<double>(i) + 0.5) * scale;
      const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(centre - radius + 0.5));
      const int64_t end = std::min(input, static_cast<int64_t>(centre + radius + 0.5));
      windows.push_back({begin, end - begin, weights.size()});
      double sum = 0;
      for (int64_t x = begin; x < end; ++x) sum += triangle(x, centre, radius);
      for (int64_t x = begin; x < end; ++x) weights.push_back(static_cast<float>(triangle(x, centre, radius) / sum));
    }
  }

  static double triangle(int64_t x, double centre, double radius) {
    return std::max(0.0, 1 - std::abs((static_cast<double>(x) + 0.5 - centre) / radius));
  }
};

/// One row of the source as floats in [0, 1], channels interleaved as they are.
void readRow(const Pixels& pixels, int64_t y, std::span<float> row) {
  const std::byte* from =
      pixels.data.data() + static_cast<size_t>(y * static_cast<int64_t>(row.size()) * bytesOf(pixels.format));
  switch (pixels.format) {
    case PixelFormat::kU8:
      for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(std::to_integer<uint8_t>(from[i])) / 255.0f;
      break;
    case PixelFormat::kU16:
      for (size_t i = 0; i < row.size(); ++i) {
        uint16_t value;
        std::memcpy(&value, from + 2 * i, 2);
        row[i] = static_cast<float>(value) / 65535.0f;
      }
      break;
    case PixelFormat::kF32: std::memcpy(row.data(), from, row.size_bytes()); break;
  }
}

}  // namespace

void validate(const Pixels& pixels) {
  require(pixels.width > 0 && pixels.height > 0, errors::kInvalidArgument,
          [&] { return "an image of " + sizeText(pixels) + " pixels has nothing in it"; });
  require(pixels.channels == 1 || pixels.channels == 3, errors::kInvalidArgument, [&] {
    return "an image has " + std::to_string(pixels.channels) + " channels; 1 (gray) and 3 (RGB) are understood";
  });
  require(pixels.width <= kMaxPixels && pixels.height <= kMaxPixels / pixels.width, errors::kInputTooLarge, [&] {
    return "an image of " + sizeText(pixels) + " pixels is larger than the limit of 2^28 pixels; scale it down";
  });
  const int64_t wanted = pixels.width * pixels.height * pixels.channels * bytesOf(pixels.format);
  require(static_cast<int64_t>(pixels.data.size()) == wanted, errors::kInvalidArgument, [&] {
    return "an image of " + sizeText(pixels) + " pixels and " + std::to_string(pixels.channels) + " channels takes " +
           std::to_string(wanted) + " bytes, got " + std::to_string(pixels.data.size());
  });
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

void resizeToRgb(const Pixels& pixels, int64_t height, int64_t width, std::span<float> rgb) {
  validate(pixels);
  require(height > 0 && width > 0, errors::kInvalidArgument, "an image cannot be resized to nothing");
  const auto outputWidth = static_cast<size_t>(width), channels = static_cast<size_t>(pixels.channels);
  invariant(rgb.size() == static_cast<size_t>(height) * outputWidth * 3, "the target of a resize has another size");

  const AxisFilter columns(pixels.width, width), rows(pixels.height, height);
  std::vector<float> source(static_cast<size_t>(pixels.width) * channels);
  const size_t stride = outputWidth * channels;
  std::vector<float> narrowed(static_cast<size_t>(pixels.height) * stride);
  for (int64_t y = 0; y < pixels.height; ++y) {
    readRow(pixels, y, source);
    float* target = narrowed.data() + static_cast<size_t>(y) * stride;
    for (size_t x = 0; x < outputWidth; ++x) {
      const auto& window = columns.windows[x];
      for (size_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (int64_t k = 0; k < window.count; ++k)
          sum += columns.weights[window.firstWeight + static_cast<size_t>(k)] *
                 source[static_cast<size_t>(window.begin + k) * channels + c];
        target[x * channels + c] = sum;
      }
    }
  }
  std::vector<float> row(stride);
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    const auto& window = rows.windows[y];
    std::ranges::fill(row, 0.0f);
    for (int64_t k = 0; k < window.count; ++k) {
      const float weight = rows.weights[window.firstWeight + static_cast<size_t>(k)];
      const float* from = narrowed.data() + static_cast<size_t>(window.begin + k) * stride;
      for (size_t i = 0; i < stride; ++i) row[i] += weight * from[i];
    }
    float* target = rgb.data() + y * outputWidth * 3;
    if (channels == 3) {
      std::ranges::copy(row, target);
    } else {
      for (size_t x = 0; x < outputWidth; ++x) target[3 * x] = target[3 * x + 1] = target[3 * x + 2] = row[x];
    }
  }
}

void normalize(std::span<float> rgb, const Normalization& normalization) {
  std::array<float, 3> scale, shift;
  for (size_t c = 0; c < 3; ++c) {
    scale[c] = 1 / normalization.deviation[c];
    shift[c] = -normalization.mean[c] / normalization.deviation[c];
  }
  for (size_t i = 0; i + 2 < rgb.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) rgb[i + c] = rgb[i + c] * scale[c] + shift[c];
}

Tensor toBatch(std::span<const Pixels* const> images, int64_t height, int64_t width,
               const Normalization& normalization) {
  Tensor batch(DType::kF32, {static_cast<int64_t>(images.size()), height, width, 3});
  const size_t sample = static_cast<size_t>(height * width * 3);
  for (size_t i = 0; i < images.size(); ++i) {
    const auto rgb = batch.as<float>().subspan(i * sample, sample);
    resizeToRgb(*images[i], height, width, rgb);
    normalize(rgb, normalization);
  }
  return batch;
}

}  // namespace jcs
