#include "measure/lesions.h"

#include <algorithm>

#include "measure/runs.h"

namespace jcs::measure {

namespace {

struct Extent {
  int64_t area = 0, top = INT64_MAX, bottom = 0, left = INT64_MAX, right = 0;  ///< all inclusive

  void include(const Run& run) {
    area += run.pixels();
    top = std::min(top, run.row);
    bottom = std::max(bottom, run.row);
    left = std::min(left, run.begin);
    right = std::max(right, run.end - 1);
  }
};

}  // namespace

std::vector<Lesion> findLesions(std::span<const uint8_t> mask, int64_t width, int64_t height,
                                const std::optional<data::PixelSpacing>& spacing, int64_t minAreaPixels) {
  const MaskRuns runs(mask, width, height);
  const Components components({&runs, 1}, Connectivity::kCorners);
  std::vector<Extent> extents(components.count());
  for (size_t i = 0; i < runs.size(); ++i) extents[components.of(0, i)].include(runs[i]);
  std::erase_if(extents, [&](const Extent& e) { return e.area < minAreaPixels; });
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

}  // namespace jcs::measure
