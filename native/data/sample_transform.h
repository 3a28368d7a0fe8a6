#pragma once

#include <span>
#include <vector>

#include "data/augmentation.h"
#include "data/packed_dataset.h"

namespace jcs {

/// A sample as the network sees it.
struct TransformedSample {
  std::vector<float> rgb;   ///< height × width × 3, normalised
  std::vector<float> mask;  ///< height × width, 0 or 1; empty when the sample has none
};

/// Resizes (image: antialiased; mask: nearest), augments and normalises.
TransformedSample transform(const Sample& sample, int64_t height, int64_t width,
                            const AugmentationOptions& augmentation, Philox& random,
                            const Normalization& normalization);

/// Averages a height × width mask over a grid of cellRows × cellColumns equal rectangles, which may cut pixels: the
/// annotation S of eq. 4 at the features' resolution.
void averageCells(std::span<const float> mask, int64_t height, int64_t width, int64_t cellRows, int64_t cellColumns,
                  std::span<float> cells);

}  // namespace jcs
