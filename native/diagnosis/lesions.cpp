#include "diagnosis/lesions.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "ops/resize.h"

namespace jcs {

namespace {

/// Lesion pixels of one row that lie side by side: columns [begin, end).
struct Segment {
  int64_t row, begin, end;
};

/// Union-find over segments; the root of a component is its first segment in reading order.
class Components {
 public:
  size_t add() {
    parents_.push_back(parents_.size());
    return parents_.size() - 1;
  }
  size_t root(size_t i) {
    while (parents_[i] != i) i = parents_[i] = parents_[parents_[i]];
    return i;
  }
  void join(size_t a, size_t b) {
    a = root(a);
    b = root(b);
    parents_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<size_t> parents_;
};

struct Extent {
  int64_t area = 0, top = INT64_MAX, bottom = 0, left = INT64_MAX, right = 0;  ///< all inclusive

  void include(const Segment& segment) {
    area += segment.end - segment.begin;
    top = std::min(top, segment.row);
    bottom = std::max(bottom, segment.row);
    left = std::min(left, segment.begin);
    right = std::max(right, segment.end - 1);
  }
};

}  // namespace

std::vector<Lesion> findLesions(std::span<const uint8_t> mask, int64_t width, int64_t height,
                                const std::optional<PixelSpacing>& spacing, int64_t minAreaPixels) {
  require(width >= 0 && height >= 0 && mask.size() == static_cast<size_t>(width) * static_cast<size_t>(height),
          errors::kShapeMismatch, [&] {
            return "a mask of " + std::to_string(width) + "×" + std::to_string(height) + " pixels has " +
                   std::to_string(mask.size()) + " values";
          });
  std::vector<Segment> segments;
  Components components;
  size_t previous = 0, current = 0;  // where the segments of the row above, and of this row, begin
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* row = mask.data() + y * width;
    size_t above = previous;
    for (int64_t x = 0; x < width; ++x) {
      if (!row[x]) continue;
      const int64_t begin = x;
      while (x < width && row[x]) ++x;
      const size_t id = components.add();
      segments.push_back({y, begin, x});
      // Both rows are in order of columns, so each segment above is passed once. Touching corners count: 8-connected.
      while (above < current && segments[above].end < begin) ++above;
      for (size_t i = above; i < current && segments[i].begin <= x; ++i) components.join(i, id);
    }
    previous = current;
    current = segments.size();
  }

  std::vector<Extent> extents(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) extents[components.root(i)].include(segments[i]);
  std::erase_if(extents, [&](const Extent& e) { return e.area == 0 || e.area < minAreaPixels; });
  // Stable: equal areas stay in reading order of their first pixels.
  std::ranges::stable_sort(extents, std::ranges::greater{}, &Extent::area);

  std::vector<Lesion> lesions;
  for (const Extent& e : extents) {
    Lesion lesion;
    lesion.areaPixels = e.area;
    if (spacing) lesion.areaMm2 = static_cast<double>(e.area) * spacing->pixelAreaMm2();
    lesion.x0 = static_cast<double>(e.left + e.right) / 2;
    lesion.y0 = static_cast<double>(e.top + e.bottom) / 2;
    lesion.width = e.right - e.left + 1;
    lesion.height = e.bottom - e.top + 1;
    lesion.left = e.left + e.right < width - 1;
    lesion.up = e.top + e.bottom < height - 1;
    lesions.push_back(lesion);
  }
  return lesions;
}

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

}  // namespace jcs
