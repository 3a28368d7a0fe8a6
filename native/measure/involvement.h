#pragma once

#include <array>

#include "measure/lungs.h"

namespace jcs::measure {

enum class Third { kUpper, kMiddle, kLower };

/// How much of a part of the lungs is lesion.
struct PartInvolvement {
  double lungMl = 0, lesionMl = 0;  ///< lesions inside the lungs

  /// 0 where there is no lung.
  double percent() const { return lungMl > 0 ? 100 * lesionMl / lungMl : 0; }
};

/// A corner-connected component of the lesions inside the lungs, across slices.
struct VolumeLesion {
  double volumeMl = 0;
  std::optional<double> meanHu;  ///< where values are in HU
  size_t firstSlice = 0, lastSlice = 0;
  double centroidX = 0, centroidY = 0;  ///< pixels
  bool right = false;                   ///< the image's half that most of it lies in
  Third third = Third::kUpper;
};

struct Involvement {
  /// [image's left, right][third]. Thirds are of the lungs' height, from the first slice that shows lung to the last; a
  /// slice belongs to the third that its centre lies in.
  std::array<std::array<PartInvolvement, 3>, 2> regions;
  double outsideMl = 0;                ///< lesions outside the lungs, which are in nothing else here
  std::vector<VolumeLesion> lesions;   ///< largest first
  std::vector<double> lesionAreasMm2;  ///< by slice, inside the lungs

  PartInvolvement side(bool right) const;
  PartInvolvement total() const;
  /// The six-zone score, 0 to 24 (0 no lesion, 1 below 25 %, 2 below 50 %, 3 below 75 %, else 4, summed over upper,
  /// middle and lower zone of both lungs; Yuan et al., PLoS ONE 15(3): e0230548, 2020), with thirds of the height for
  /// the zones, which radiologists take from carina and inferior pulmonary vein. No lesion is less than 1 %, for they
  /// score by eye, and networks find specks in every lung.
  int severityScore() const;
};

/// `lesions`: masks of the slices of `geometry`.
Involvement measureInvolvement(const Lungs& lungs, std::span<const data::BitMask> lesions,
                               const StackGeometry& geometry, const HounsfieldOf& hounsfieldOf);

}  // namespace jcs::measure
