#include "metrics/explanation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"

namespace jcs::metrics {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

void requireExplained(std::span<const float> map, std::span<const uint8_t> lesions, std::span<const uint8_t> lungs,
                      int64_t width, int64_t height) {
  require(width > 0 && height > 0, errors::kInvalidArgument, "width and height must be at least 1");
  const auto requirePixels = [&](size_t count, const char* what) {
    require(count == static_cast<size_t>(width * height), errors::kInvalidArgument, [&] {
      return std::string(what) + " has " + std::to_string(count) + " values for " + std::to_string(width) + "×" +
             std::to_string(height) + " pixels";
    });
  };
  requirePixels(map.size(), "an activation map");
  requirePixels(lesions.size(), "a mask of lesions");
  if (!lungs.empty()) requirePixels(lungs.size(), "a mask of lungs");
  for (size_t i = 0; i < map.size(); ++i) {
    require(std::isfinite(map[i]), errors::kNotFinite,
            [&] { return "value " + std::to_string(i) + " of an activation map is not finite"; });
    require(map[i] >= 0, errors::kInvalidArgument,
            [&] { return "value " + std::to_string(i) + " of an activation map is negative"; });
  }
  require(std::ranges::any_of(lesions, [](uint8_t inside) { return inside != 0; }), errors::kInvalidArgument,
          "there is no lesion that a map could point at");
}

/// Which pixels are at most `radius` from one of `mask`: every row of the mask, widened as the disc is so far from its
/// own middle, counted as begins and ends of intervals.
std::vector<uint8_t> dilated(std::span<const uint8_t> mask, int64_t width, int64_t height, double radius) {
  const auto reach = static_cast<int64_t>(radius);
  std::vector<int32_t> changes(static_cast<size_t>((width + 1) * height), 0);
  for (int64_t y = 0; y < height; ++y) {
    const auto row = mask.subspan(static_cast<size_t>(y * width), static_cast<size_t>(width));
    for (int64_t first = 0, last; first < width; first = last) {
      for (last = first + 1; last < width && (row[size_t(last)] != 0) == (row[size_t(first)] != 0);) ++last;
      if (row[size_t(first)] == 0) continue;
      for (int64_t dy = std::max(-reach, -y); dy <= std::min(reach, height - 1 - y); ++dy) {
        const auto dx = static_cast<int64_t>(std::sqrt(radius * radius - static_cast<double>(dy * dy)));
        int32_t* const there = changes.data() + (y + dy) * (width + 1);
        ++there[std::max<int64_t>(0, first - dx)];
        --there[std::min(width, last + dx)];
      }
    }
  }
  std::vector<uint8_t> result;
  result.reserve(mask.size());
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0, open = 0; x < width; ++x) {
      open += changes[static_cast<size_t>(y * (width + 1) + x)];
      result.push_back(open > 0);
    }
  return result;
}

}  // namespace

Metrics explanationMetrics(std::span<const float> map, std::span<const uint8_t> lesions, std::span<const uint8_t> lungs,
                           int64_t width, int64_t height) {
  requireExplained(map, lesions, lungs, width, height);
  const double tolerance = kPointingTolerance * static_cast<double>(std::max(width, height)) / 512;
  const std::vector<uint8_t> near = dilated(lesions, width, height, tolerance);
  const float highest = *std::ranges::max_element(map);
  double maxima = 0, hits = 0, mass = 0, massInside = 0, lungPixels = 0, lungNear = 0, lungInside = 0;
  for (size_t i = 0; i < map.size(); ++i) {
    const bool inside = lesions[i] != 0;
    mass += map[i];
    massInside += inside ? map[i] : 0;
    maxima += map[i] == highest;
    hits += map[i] == highest && near[i];
    if (lungs.empty() || lungs[i] == 0) continue;
    ++lungPixels;
    lungNear += near[i];
    lungInside += inside;
  }
  return {{"pointingGame", highest > 0 ? hits / maxima : 0},
          {"massInLesions", mass > 0 ? massInside / mass : 0},
          {"pointingGameAtRandom", lungPixels > 0 ? lungNear / lungPixels : kUndefined},
          {"massInLesionsAtRandom", lungPixels > 0 ? lungInside / lungPixels : kUndefined}};
}

}  // namespace jcs::metrics
