#pragma once

#include <functional>

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

/// The values of a slice in HU, row by row; empty where it has none.
using HounsfieldOf = std::function<std::vector<int16_t>(size_t slice)>;

/// The lungs out of what a network called lung. Left out are, where values are in HU, face-connected parts most of
/// which is air that reaches the edge of its slice, darker than lungs are: the air beside the patient. Left out are
/// parts below a twentieth of the largest that remains (a trachea, specks), and holes of up to 5 cm² in a slice are
/// closed (consolidations, vessels). Masks are those of `geometry`'s slices, and are changed to what is left.
Lungs findLungs(std::vector<data::BitMask>& masks, const StackGeometry& geometry, const HounsfieldOf& hounsfieldOf);

}  // namespace jcs::measure
