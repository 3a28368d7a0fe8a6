#pragma once

#include <string>
#include <variant>

#include "data/slice_store.h"

namespace jcs::measure {

/// What the pixels of a stack of slices come to in the patient.
struct StackGeometry {
  int64_t width = 0, height = 0;  ///< pixels, of every slice
  data::PixelSpacing spacing;
  std::vector<double> heightsMm;      ///< of each slice, along the normal; falling, for the first is at the head
  std::vector<double> thicknessesMm;  ///< that each slice stands for: half the way to its neighbours
  bool rowsRunToPatientsLeft = false;

  size_t slices() const { return thicknessesMm.size(); }
  double pixelMl(size_t slice) const { return spacing.pixelAreaMm2() * thicknessesMm[slice] / 1000; }
};

/// Of slices of a store, in the patient's order, or a full sentence that says what is missing for it.
std::variant<StackGeometry, std::string> stackGeometry(const data::SliceStore& store, std::span<const size_t> indices);

}  // namespace jcs::measure
