#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/slice.h"

namespace jcs::measure {

/// One 8-connected component of a lesion mask: the fields of the paper's figure 6. Pixels of the source image.
struct Lesion {
  int64_t areaPixels = 0;
  std::optional<double> areaMm2;  ///< when the pixel spacing is known
  double x0 = 0, y0 = 0;          ///< centre of the bounding box
  int64_t width = 0, height = 0;  ///< of the bounding box
  /// Half in which the centre lies: the image's, and for a slice whose orientation is known the patient's left.
  bool left = false, up = false;
};

/// `mask` is height × width, nonzero = lesion; halves are the image's. Largest first. Linear in the number of pixels.
std::vector<Lesion> findLesions(std::span<const uint8_t> mask, int64_t width, int64_t height,
                                const std::optional<data::PixelSpacing>& spacing = std::nullopt,
                                int64_t minAreaPixels = 1);

}  // namespace jcs::measure
