#include "data/sample_transform.h"

#include <algorithm>
#include <cmath>

namespace jcs {

namespace {

std::vector<float> resizeMask(const Sample& sample, int64_t height, int64_t width) {
  std::vector<float> mask;
  if (sample.mask.empty()) return mask;
  mask.reserve(static_cast<size_t>(height * width));
  // The source pixel in which the target pixel's centre lies: floor((i + ½) · input / output), in whole numbers.
  const auto source = [](int64_t i, int64_t input, int64_t output) { return (2 * i + 1) * input / (2 * output); };
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* row = sample.mask.data() + source(y, sample.image.height, height) * sample.image.width;
    for (int64_t x = 0; x < width; ++x) mask.push_back(row[source(x, sample.image.width, width)]);
  }
  return mask;
}

/// Calls use(pixel, share of the pixel) for the pixels that cell i of `cells` covers along an axis.
template <typename Use>
void coveredPixels(int64_t i, int64_t cells, int64_t pixels, Use&& use) {
  const double size = static_cast<double>(pixels) / static_cast<double>(cells);
  const double begin = static_cast<double>(i) * size, end = static_cast<double>(i + 1) * size;
  for (auto pixel = static_cast<int64_t>(begin); pixel < pixels; ++pixel) {
    const double share = std::min(end, static_cast<double>(pixel + 1)) - std::max(begin, static_cast<double>(pixel));
    if (share <= 0) break;
    use(pixel, share);
  }
}

}  // namespace

TransformedSample transform(const Sample& sample, int64_t height, int64_t width,
                            const AugmentationOptions& augmentation, Philox& random,
                            const Normalization& normalization) {
  TransformedSample result;
  result.rgb.resize(static_cast<size_t>(height * width * 3));
  resizeToRgb(sample.image, height, width, result.rgb);
  result.mask = resizeMask(sample, height, width);
  augment(augmentation, random, height, width, result.rgb, result.mask);
  normalize(result.rgb, normalization);
  return result;
}

void averageCells(std::span<const float> mask, int64_t height, int64_t width, int64_t cellRows, int64_t cellColumns,
                  std::span<float> cells) {
  const double area = static_cast<double>(height) / static_cast<double>(cellRows) * static_cast<double>(width) /
                      static_cast<double>(cellColumns);
  for (int64_t row = 0; row < cellRows; ++row)
    for (int64_t column = 0; column < cellColumns; ++column) {
      double sum = 0;
      coveredPixels(row, cellRows, height, [&](int64_t y, double shareY) {
        coveredPixels(column, cellColumns, width, [&](int64_t x, double shareX) {
          sum += shareY * shareX * static_cast<double>(mask[static_cast<size_t>(y * width + x)]);
        });
      });
      cells[static_cast<size_t>(row * cellColumns + column)] = static_cast<float>(sum / area);
    }
}

}  // namespace jcs
