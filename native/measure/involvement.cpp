#include "measure/involvement.h"

#include <algorithm>

#include "core/error.h"

namespace jcs::measure {

namespace {

/// By slice. Without lungs all are upper.
std::vector<Third> thirdsOf(const Lungs& lungs, const StackGeometry& g) {
  const auto showsLung = [&](size_t slice) { return lungs.slices[slice].size() > 0; };
  std::vector<Third> thirds(g.slices(), Third::kUpper);
  size_t first = 0, last = g.slices();
  while (first < last && !showsLung(first)) ++first;
  while (last > first && !showsLung(last - 1)) --last;
  double heightMm = 0;
  for (size_t s = first; s < last; ++s) heightMm += g.thicknessesMm[s];
  double aboveMm = 0;
  for (size_t s = first; s < last; ++s) {
    const double centre = (aboveMm + g.thicknessesMm[s] / 2) / heightMm;
    thirds[s] = centre < 1.0 / 3 ? Third::kUpper : centre < 2.0 / 3 ? Third::kMiddle : Third::kLower;
    aboveMm += g.thicknessesMm[s];
  }
  std::fill(thirds.begin() + static_cast<std::ptrdiff_t>(last), thirds.end(), Third::kLower);
  return thirds;
}

/// Pixels of a run that belong to the image's left and right lung.
std::array<int64_t, 2> sidesOf(const Lungs& lungs, size_t slice, const Run& run) {
  const int64_t border = std::clamp(lungs.borders[slice][static_cast<size_t>(run.row)], run.begin, run.end);
  return {border - run.begin, run.end - border};
}

/// What a 3-D lesion adds up to.
struct Sums {
  double ml = 0, pixels = 0, x = 0, y = 0, hu = 0;
  bool hasHu = true;
  size_t first = SIZE_MAX, last = 0;
  std::array<double, 2> bySide{};
  std::array<double, 3> byThird{};

  VolumeLesion lesion() const {
    VolumeLesion lesion;
    lesion.volumeMl = ml;
    if (hasHu) lesion.meanHu = hu / ml;
    lesion.firstSlice = first;
    lesion.lastSlice = last;
    lesion.centroidX = x / pixels;
    lesion.centroidY = y / pixels;
    lesion.right = bySide[1] > bySide[0];
    lesion.third = static_cast<Third>(std::ranges::max_element(byThird) - byThird.begin());
    return lesion;
  }
};

}  // namespace

PartInvolvement Involvement::side(bool right) const {
  PartInvolvement sum;
  for (const PartInvolvement& region : regions[right]) {
    sum.lungMl += region.lungMl;
    sum.lesionMl += region.lesionMl;
  }
  return sum;
}

PartInvolvement Involvement::total() const {
  const PartInvolvement left = side(false), right = side(true);
  return {left.lungMl + right.lungMl, left.lesionMl + right.lesionMl};
}

int Involvement::severityScore() const {
  int score = 0;
  for (const auto& side : regions)
    for (const PartInvolvement& region : side) {
      const double percent = region.percent();
      score += percent < 1 ? 0 : percent < 25 ? 1 : percent < 50 ? 2 : percent < 75 ? 3 : 4;
    }
  return score;
}

Involvement measureInvolvement(const Lungs& lungs, std::span<const data::BitMask> lesions,
                               const StackGeometry& geometry, const HounsfieldOf& hounsfieldOf) {
  invariant(lesions.size() == geometry.slices(), "lesions and slices are of different numbers");
  Involvement result;
  const std::vector<Third> thirds = thirdsOf(lungs, geometry);
  std::vector<MaskRuns> inside;
  for (size_t s = 0; s < geometry.slices(); ++s) {
    const double ml = geometry.pixelMl(s);
    const auto third = static_cast<size_t>(thirds[s]);
    const MaskRuns all(lesions[s].bytes(), geometry.width, geometry.height);
    inside.push_back(all.intersection(lungs.slices[s]));
    result.outsideMl += static_cast<double>(all.pixels() - inside[s].pixels()) * ml;
    result.lesionAreasMm2.push_back(static_cast<double>(inside[s].pixels()) * geometry.spacing.pixelAreaMm2());
    for (const Run& run : lungs.slices[s])
      for (size_t side = 0; side < 2; ++side)
        result.regions[side][third].lungMl += static_cast<double>(sidesOf(lungs, s, run)[side]) * ml;
    for (const Run& run : inside[s])
      for (size_t side = 0; side < 2; ++side)
        result.regions[side][third].lesionMl += static_cast<double>(sidesOf(lungs, s, run)[side]) * ml;
  }

  const Components components(inside, Connectivity::kCorners);
  std::vector<Sums> sums(components.count());
  for (size_t s = 0; s < inside.size(); ++s) {
    if (inside[s].size() == 0) continue;
    const std::vector<int16_t> hounsfield = hounsfieldOf(s);
    const double ml = geometry.pixelMl(s);
    for (size_t i = 0; i < inside[s].size(); ++i) {
      const Run& run = inside[s][i];
      Sums& lesion = sums[components.of(s, i)];
      const auto pixels = static_cast<double>(run.pixels());
      lesion.pixels += pixels;
      lesion.ml += pixels * ml;
      lesion.x += pixels * static_cast<double>(run.begin + run.end - 1) / 2;
      lesion.y += pixels * static_cast<double>(run.row);
      lesion.first = std::min(lesion.first, s);
      lesion.last = s;
      lesion.byThird[static_cast<size_t>(thirds[s])] += pixels * ml;
      const auto sides = sidesOf(lungs, s, run);
      for (size_t side = 0; side < 2; ++side) lesion.bySide[side] += static_cast<double>(sides[side]) * ml;
      lesion.hasHu &= !hounsfield.empty();
      for (int64_t x = run.begin; lesion.hasHu && x < run.end; ++x)
        lesion.hu += hounsfield[static_cast<size_t>(run.row * geometry.width + x)] * ml;
    }
  }
  for (const Sums& sum : sums) result.lesions.push_back(sum.lesion());
  std::ranges::stable_sort(result.lesions, std::ranges::greater{}, &VolumeLesion::volumeMl);
  return result;
}

}  // namespace jcs::measure
