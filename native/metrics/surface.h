#pragma once

#include <cstdint>
#include <span>

namespace jcs::metrics {

/// Height and width of a map, and how far its rows and columns are apart: in mm where `inMm`, else 1 pixel.
struct PixelGrid {
  int64_t height, width;
  double rowSpacing = 1, columnSpacing = 1;
  bool inMm = false;
};

/// How far the outlines of two masks are apart. An outline is the pixels of a mask that have a side in common with what
/// is outside of it, beyond the image's edge included; distances are between centres of pixels.
struct SurfaceDistance {
  double hd95;  ///< 95th percentile of the distances from both outlines to the other, as MedPy's hd95
  double nsd;   ///< share of both outlines that is at most `tolerance` from the other (Nikolov et al., 2021)
};

/// Where a mask is empty hd95 is NaN, and nsd 0, or 1 when both are. Masks are nonzero inside, row by row, and as large
/// as the grid; `tolerance` is in its unit. INVALID_ARGUMENT for a spacing that is no positive number.
SurfaceDistance surfaceDistance(std::span<const uint8_t> a, std::span<const uint8_t> b, const PixelGrid& grid,
                                double tolerance);

}  // namespace jcs::metrics
