#include "metrics/surface.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"
#include "metrics/quantile.h"

namespace jcs::metrics {

namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

struct Pixel {
  int64_t y, x;
};

std::vector<Pixel> outlineOf(std::span<const uint8_t> mask, const PixelGrid& grid) {
  const auto inside = [&](int64_t y, int64_t x) {
    return y >= 0 && x >= 0 && y < grid.height && x < grid.width && mask[static_cast<size_t>(y * grid.width + x)] != 0;
  };
  std::vector<Pixel> outline;
  for (int64_t y = 0; y < grid.height; ++y)
    for (int64_t x = 0; x < grid.width; ++x)
      if (inside(y, x) && !(inside(y - 1, x) && inside(y + 1, x) && inside(y, x - 1) && inside(y, x + 1)))
        outline.push_back({y, x});
  return outline;
}

/// The rectangle that holds both outlines: nothing outside of it is asked for.
struct Frame {
  int64_t top = std::numeric_limits<int64_t>::max(), left = top, bottom = -1, right = -1;

  void take(const std::vector<Pixel>& pixels) {
    for (const Pixel& p : pixels) {
      top = std::min(top, p.y), bottom = std::max(bottom, p.y);
      left = std::min(left, p.x), right = std::max(right, p.x);
    }
  }
  int64_t height() const { return bottom - top + 1; }
  int64_t width() const { return right - left + 1; }
  size_t at(const Pixel& p) const { return static_cast<size_t>((p.y - top) * width() + p.x - left); }
};

/// Of values along a line, min over j of values[j] + ((i − j) · spacing)²: the lower envelope of parabolas
/// (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012).
void lowerEnvelope(std::vector<double>& values, double spacing, std::vector<size_t>& tops, std::vector<double>& from) {
  const auto count = values.size();
  const auto position = [&](size_t i) { return static_cast<double>(i) * spacing; };
  tops.clear();
  from.clear();
  for (size_t i = 0; i < count; ++i) {
    if (values[i] == kFar) continue;
    double start = -kFar;
    while (!tops.empty()) {
      const size_t top = tops.back();
      start = (values[i] + position(i) * position(i) - values[top] - position(top) * position(top)) /
              (2 * (position(i) - position(top)));
      if (start > from.back()) break;
      tops.pop_back();
      from.pop_back();
      start = -kFar;
    }
    tops.push_back(i);
    from.push_back(start);
  }
  if (tops.empty()) return;
  std::vector<double> result(count);
  size_t piece = 0;
  for (size_t i = 0; i < count; ++i) {
    while (piece + 1 < tops.size() && from[piece + 1] < position(i)) ++piece;
    const double away = position(i) - position(tops[piece]);
    result[i] = values[tops[piece]] + away * away;
  }
  values.swap(result);
}

/// Squared distances of the frame's pixels to the nearest of `pixels`.
std::vector<double> squaredDistances(const std::vector<Pixel>& pixels, const Frame& frame, const PixelGrid& grid) {
  const auto height = static_cast<size_t>(frame.height()), width = static_cast<size_t>(frame.width());
  std::vector<double> distances(height * width, kFar);
  for (const Pixel& p : pixels) distances[frame.at(p)] = 0;
  std::vector<size_t> tops;
  std::vector<double> from, line(height);
  for (size_t x = 0; x < width; ++x) {
    for (size_t y = 0; y < height; ++y) line[y] = distances[y * width + x];
    lowerEnvelope(line, grid.rowSpacing, tops, from);
    for (size_t y = 0; y < height; ++y) distances[y * width + x] = line[y];
  }
  line.resize(width);
  for (size_t y = 0; y < height; ++y) {
    std::copy_n(distances.begin() + static_cast<std::ptrdiff_t>(y * width), width, line.begin());
    lowerEnvelope(line, grid.columnSpacing, tops, from);
    std::ranges::copy(line, distances.begin() + static_cast<std::ptrdiff_t>(y * width));
  }
  return distances;
}

}  // namespace

SurfaceDistance surfaceDistance(std::span<const uint8_t> a, std::span<const uint8_t> b, const PixelGrid& grid,
                                double tolerance) {
  const auto pixels = static_cast<size_t>(grid.height * grid.width);
  invariant(a.size() == pixels && b.size() == pixels, "masks are of the grid");
  const auto isDistance = [](double spacing) { return spacing > 0 && std::isfinite(spacing); };
  require(isDistance(grid.rowSpacing) && isDistance(grid.columnSpacing), errors::kInvalidArgument,
          "spacing must be two positive numbers, of rows and of columns");
  const std::vector<Pixel> outlines[] = {outlineOf(a, grid), outlineOf(b, grid)};
  if (outlines[0].empty() || outlines[1].empty())
    return {std::numeric_limits<double>::quiet_NaN(), outlines[0].empty() && outlines[1].empty() ? 1.0 : 0.0};
  Frame frame;
  for (const auto& outline : outlines) frame.take(outline);
  std::vector<double> distances;
  for (const bool other : {true, false}) {
    const std::vector<double> squared = squaredDistances(outlines[other], frame, grid);
    for (const Pixel& p : outlines[!other]) distances.push_back(std::sqrt(squared[frame.at(p)]));
  }
  std::ranges::sort(distances);
  const auto near = std::ranges::upper_bound(distances, tolerance) - distances.begin();
  return {quantile(distances, 0.95), static_cast<double>(near) / static_cast<double>(distances.size())};
}

}  // namespace jcs::metrics
