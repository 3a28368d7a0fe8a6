#pragma once

#include "data/bit_mask.h"
#include "measure/runs.h"
#include "measure/stack_geometry.h"

namespace jcs::measure {

/// Left and right are the image's here.
struct Lungs {
  std::vector<MaskRuns> slices;
  /// By slice and row: the first column that belongs to the image's right lung.
  std::vector<std::vector<int64_t>> borders;

  bool isRight(size_t slice, int64_t row, int64_t column) const {
    return column >= borders[slice][static_cast<size_t>(row)];
  }
};

/// The lungs out of what a network called lung: face-connected parts below a twentieth of the largest one are left out
/// (a trachea, gas in the bowel, specks), and holes of up to 5 cm² in a slice closed (consolidations, vessels). Masks
/// are those of `geometry`'s slices, and are changed to what is left.
Lungs findLungs(std::vector<data::BitMask>& masks, const StackGeometry& geometry);

}  // namespace jcs::measure
