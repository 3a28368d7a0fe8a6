#include "measure/lungs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/error.h"

namespace jcs::measure {

namespace {

constexpr double kSmallestPart = 0.05;  // of the largest
constexpr int16_t kAirHu = -500;
constexpr double kDarkestLungHu = -900;  // on average; those with severe emphysema are about there
constexpr double kLargestHoleMm2 = 500;  // a circle of 25 mm
constexpr double kSearchedShare = 0.12;  // of the lungs' width, to both sides of the middle
constexpr int64_t kMovePerRow = 2;       // columns by which the border may move from row to row

using Bytes = std::vector<uint8_t>;

void fill(Bytes& mask, const Run& run, int64_t width, uint8_t value) {
  std::fill_n(mask.begin() + run.row * width + run.begin, run.pixels(), value);
}

bool reachesEdge(const Run& run, const StackGeometry& g) {
  return run.row == 0 || run.row == g.height - 1 || run.begin == 0 || run.end == g.width;
}

/// 1 where air lies that reaches the edge of the slice, as around a patient.
Bytes openAir(std::span<const int16_t> hounsfield, const StackGeometry& g) {
  Bytes air(hounsfield.size());
  std::ranges::transform(hounsfield, air.begin(), [](int16_t hu) { return static_cast<uint8_t>(hu < kAirHu); });
  const MaskRuns runs(air, g.width, g.height);
  const Components parts({&runs, 1}, Connectivity::kFaces);
  std::vector<uint8_t> isOpen(parts.count());
  for (size_t i = 0; i < runs.size(); ++i) isOpen[parts.of(0, i)] |= reachesEdge(runs[i], g) ? 1 : 0;
  for (size_t i = 0; i < runs.size(); ++i)
    if (!isOpen[parts.of(0, i)]) fill(air, runs[i], g.width, 0);
  return air;
}

/// A face-connected part of what was called lung.
struct Part {
  double ml = 0, hu = 0;
  int64_t pixels = 0;  ///< of the slices that have values in HU
  int64_t open = 0;    ///< of dark parts: how many of them are open air

  bool isDark() const { return pixels > 0 && hu / static_cast<double>(pixels) < kDarkestLungHu; }
  /// Lungs that the edge of the image cuts are open as well, and denser.
  bool isOutside() const { return isDark() && 2 * open > pixels; }
};

/// What was called lung, as parts.
struct Parts {
  std::vector<MaskRuns> slices;
  Components components;
  std::vector<Part> parts;

  explicit Parts(std::vector<MaskRuns> runs) : slices(std::move(runs)), components(slices, Connectivity::kFaces) {
    parts.resize(components.count());
  }
  /// Calls f(part, run) for every run of a slice.
  template <typename F>
  void forEach(size_t slice, F&& f) {
    for (size_t i = 0; i < slices[slice].size(); ++i) f(parts[components.of(slice, i)], slices[slice][i]);
  }
};

template <typename Values>
double sumOver(const Run& run, const Values& values, int64_t width) {
  const auto row = values.begin() + run.row * width;
  return std::accumulate(row + run.begin, row + run.end, 0.0);
}

void keepLungs(std::vector<Bytes>& masks, const StackGeometry& g, const HounsfieldOf& hounsfieldOf) {
  std::vector<MaskRuns> runs;
  for (const Bytes& mask : masks) runs.emplace_back(mask, g.width, g.height);
  Parts found(std::move(runs));
  for (size_t s = 0; s < masks.size(); ++s) {
    if (found.slices[s].size() == 0) continue;
    const std::vector<int16_t> hounsfield = hounsfieldOf(s);
    found.forEach(s, [&](Part& part, const Run& run) {
      part.ml += static_cast<double>(run.pixels()) * g.pixelMl(s);
      if (hounsfield.empty()) return;
      part.hu += sumOver(run, hounsfield, g.width);
      part.pixels += run.pixels();
    });
  }
  // Most cases have no part that is so dark, and where the open air lies takes longest to find out.
  for (size_t s = 0; s < masks.size(); ++s) {
    bool anyDark = false;
    found.forEach(s, [&](const Part& part, const Run&) { anyDark |= part.isDark(); });
    if (!anyDark) continue;
    const std::vector<int16_t> hounsfield = hounsfieldOf(s);
    if (hounsfield.empty()) continue;
    const Bytes open = openAir(hounsfield, g);
    found.forEach(s, [&](Part& part, const Run& run) {
      if (part.isDark()) part.open += static_cast<int64_t>(sumOver(run, open, g.width));
    });
  }
  double largest = 0;
  for (const Part& part : found.parts)
    if (!part.isOutside()) largest = std::max(largest, part.ml);
  for (size_t s = 0; s < masks.size(); ++s)
    found.forEach(s, [&](const Part& part, const Run& run) {
      if (part.isOutside() || part.ml < kSmallestPart * largest) fill(masks[s], run, g.width, 0);
    });
}

void closeHoles(Bytes& mask, const StackGeometry& g) {
  Bytes outside(mask.size());
  std::ranges::transform(mask, outside.begin(), [](uint8_t inside) { return static_cast<uint8_t>(inside == 0); });
  const MaskRuns runs(outside, g.width, g.height);
  const Components parts({&runs, 1}, Connectivity::kFaces);
  std::vector<double> pixels(parts.count());
  for (size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    pixels[parts.of(0, i)] += reachesEdge(run, g) ? INFINITY : static_cast<double>(run.pixels());
  }
  const double largest = kLargestHoleMm2 / g.spacing.pixelAreaMm2();
  for (size_t i = 0; i < runs.size(); ++i)
    if (pixels[parts.of(0, i)] <= largest) fill(mask, runs[i], g.width, 1);
}

/// Columns in which the border between the lungs is looked for: [first, last], around `middle`.
struct Band {
  int64_t first, middle, last;

  int64_t size() const { return last - first + 1; }
};

/// Around the column with the least lung above and below it, in the middle two fifths of the lungs' width.
Band bandOf(std::span<const MaskRuns> slices, int64_t width) {
  std::vector<int64_t> changes(static_cast<size_t>(width) + 1), columns(static_cast<size_t>(width));
  for (const MaskRuns& slice : slices)
    for (const Run& run : slice) {
      ++changes[static_cast<size_t>(run.begin)];
      --changes[static_cast<size_t>(run.end)];
    }
  std::partial_sum(changes.begin(), changes.end() - 1, columns.begin());
  const auto isLung = [](int64_t pixels) { return pixels > 0; };
  const auto left = std::ranges::find_if(columns, isLung) - columns.begin();
  if (left == width) return {0, width / 2, width - 1};
  const auto right = width - 1 - (std::find_if(columns.rbegin(), columns.rend(), isLung) - columns.rbegin());
  const int64_t extent = right - left + 1, centre = (left + right) / 2;
  const int64_t from = left + extent * 3 / 10, to = right - extent * 3 / 10;
  int64_t middle = centre;
  for (int64_t x = from; x <= to; ++x) {
    const int64_t here = columns[static_cast<size_t>(x)], best = columns[static_cast<size_t>(middle)];
    if (here < best || (here == best && std::abs(x - centre) < std::abs(middle - centre))) middle = x;
  }
  const auto reach = std::max<int64_t>(1, std::lround(kSearchedShare * static_cast<double>(extent)));
  return {std::max<int64_t>(0, middle - reach), middle, std::min(width - 1, middle + reach)};
}

/// The way from the first row to the last that cuts through the fewest lung pixels, and among those stays closest to
/// the middle (dynamic programming).
std::vector<int64_t> borderOf(const MaskRuns& lungs, const Band& band, int64_t height) {
  const auto columns = static_cast<size_t>(band.size());
  constexpr int64_t kPixel = int64_t{1} << 32;  // more than any sum of distances from the middle
  std::vector<std::vector<int8_t>> moves(static_cast<size_t>(height), std::vector<int8_t>(columns));
  std::vector<int64_t> above(columns), costs(columns);
  for (int64_t row = 0; row < height; ++row) {
    for (size_t c = 0; c < columns; ++c) costs[c] = std::abs(band.first + static_cast<int64_t>(c) - band.middle);
    const auto [first, last] = lungs.ofRow(row);
    for (size_t i = first; i < last; ++i)
      for (int64_t x = std::max(lungs[i].begin, band.first); x < std::min(lungs[i].end, band.last + 1); ++x)
        costs[static_cast<size_t>(x - band.first)] += kPixel;
    for (size_t c = 0; row > 0 && c < columns; ++c) {
      const int64_t at = static_cast<int64_t>(c);
      int64_t best = at;
      for (int64_t from = std::max<int64_t>(0, at - kMovePerRow);
           from <= std::min<int64_t>(band.size() - 1, at + kMovePerRow); ++from)
        if (above[static_cast<size_t>(from)] < above[static_cast<size_t>(best)]) best = from;
      moves[static_cast<size_t>(row)][c] = static_cast<int8_t>(best - at);
      costs[c] += above[static_cast<size_t>(best)];
    }
    std::swap(above, costs);
  }
  std::vector<int64_t> border(static_cast<size_t>(height));
  auto c = std::ranges::min_element(above) - above.begin();
  for (int64_t row = height - 1; row >= 0; --row) {
    border[static_cast<size_t>(row)] = band.first + c;
    c += moves[static_cast<size_t>(row)][static_cast<size_t>(c)];
  }
  return border;
}

}  // namespace

Lungs findLungs(std::vector<data::BitMask>& masks, const StackGeometry& geometry, const HounsfieldOf& hounsfieldOf) {
  invariant(masks.size() == geometry.slices(), "lungs and slices are of different numbers");
  std::vector<Bytes> bytes;
  for (const data::BitMask& mask : masks) bytes.push_back(mask.bytes());
  keepLungs(bytes, geometry, hounsfieldOf);
  Lungs lungs;
  for (size_t s = 0; s < masks.size(); ++s) {
    closeHoles(bytes[s], geometry);
    masks[s] = data::BitMask(bytes[s]);
    lungs.slices.emplace_back(bytes[s], geometry.width, geometry.height);
  }
  const Band band = bandOf(lungs.slices, geometry.width);
  for (const MaskRuns& slice : lungs.slices) lungs.borders.push_back(borderOf(slice, band, geometry.height));
  return lungs;
}

}  // namespace jcs::measure
