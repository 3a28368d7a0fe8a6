#include "measure/stack_geometry.h"

#include <cmath>

namespace jcs::measure {

namespace {

/// Positions along the normal of the slices, which the cross product of their axes is.
double heightAlongNormal(const std::array<double, 3>& p, const std::array<double, 6>& o) {
  return p[0] * (o[1] * o[5] - o[2] * o[4]) + p[1] * (o[2] * o[3] - o[0] * o[5]) + p[2] * (o[0] * o[4] - o[1] * o[3]);
}

}  // namespace

std::variant<StackGeometry, std::string> stackGeometry(const data::SliceStore& store, std::span<const size_t> indices) {
  if (indices.size() < 2) return "Volumes are not measured: a single slice has none.";
  StackGeometry geometry;
  for (const size_t index : indices) {
    const data::SliceInfo& slice = store.info(index);
    if (!slice.spacing || !slice.positionMm || !slice.orientation)
      return "Volumes are not measured: not every slice says its pixel spacing and its place in the patient.";
    if (geometry.heightsMm.empty()) {
      geometry.width = slice.width;
      geometry.height = slice.height;
      geometry.spacing = *slice.spacing;
      geometry.rowsRunToPatientsLeft = slice.rowsRunToPatientsLeft();
    } else if (slice.width != geometry.width || slice.height != geometry.height ||
               slice.spacing->row != geometry.spacing.row || slice.spacing->column != geometry.spacing.column ||
               slice.rowsRunToPatientsLeft() != geometry.rowsRunToPatientsLeft) {
      return "Volumes are not measured: slices differ in size, pixel spacing or orientation.";
    }
    geometry.heightsMm.push_back(heightAlongNormal(*slice.positionMm, *slice.orientation));
  }
  // Along the normal of the first slice heights may rise: which way it points is the file's affair.
  const double direction = geometry.heightsMm.back() < geometry.heightsMm.front() ? 1 : -1;
  for (double& height : geometry.heightsMm) height *= direction;
  const std::vector<double>& heights = geometry.heightsMm;
  for (size_t i = 0; i < heights.size(); ++i) {
    const size_t above = i == 0 ? 0 : i - 1, below = std::min(i + 1, heights.size() - 1);
    const double thickness = (heights[above] - heights[below]) / static_cast<double>(below - above);
    if (!(thickness > 0)) return "Volumes are not measured: slices lie at one place, or not in order.";
    geometry.thicknessesMm.push_back(thickness);
  }
  return geometry;
}

}  // namespace jcs::measure
