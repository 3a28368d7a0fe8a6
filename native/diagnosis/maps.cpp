#include "diagnosis/maps.h"

#include "core/error.h"
#include "ops/resize.h"

namespace jcs::diagnosis {

std::vector<float> resizeMap(std::span<const float> map, int64_t width, int64_t height, int64_t targetWidth,
                             int64_t targetHeight) {
  require(width > 0 && height > 0 && targetWidth > 0 && targetHeight > 0 &&
              map.size() == static_cast<size_t>(width) * static_cast<size_t>(height),
          errors::kShapeMismatch, "a map is empty, resized to nothing, or its size contradicts its values");
  if (width == targetWidth && height == targetHeight) return {map.begin(), map.end()};
  std::vector<ResizeTap> columns;
  for (int64_t x = 0; x < targetWidth; ++x) columns.push_back(resizeTap(x, width, targetWidth, false));
  std::vector<float> result(static_cast<size_t>(targetWidth) * static_cast<size_t>(targetHeight));
  std::vector<float> row(static_cast<size_t>(width));
  for (int64_t y = 0; y < targetHeight; ++y) {
    const ResizeTap tap = resizeTap(y, height, targetHeight, false);
    const auto down = static_cast<float>(tap.fraction);
    const float *upper = map.data() + tap.low * width, *lower = map.data() + tap.high * width;
    for (size_t x = 0; x < row.size(); ++x) row[x] = upper[x] + down * (lower[x] - upper[x]);
    float* target = result.data() + y * targetWidth;
    for (const auto& [low, high, fraction] : columns) {
      const float left = row[static_cast<size_t>(low)], right = row[static_cast<size_t>(high)];
      *target++ = left + static_cast<float>(fraction) * (right - left);
    }
  }
  return result;
}

}  // namespace jcs::diagnosis
