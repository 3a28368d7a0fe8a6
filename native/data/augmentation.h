#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/philox.h"

namespace jcs {

/// What is done to a training image and its mask. One affine warp carries all the geometry, so an image is sampled
/// once; intensities change after it. Everything is drawn from Philox(seed, epoch, sample, kAugment).
struct AugmentationOptions {
  float horizontalFlip = 0;  ///< probability
  float verticalFlip = 0;    ///< probability
  float cropMargin = 0;      ///< paper: random crop, each side's margin uniform in [0, cropMargin] of the extent
  /// authors: with probability ½ one margin per axis, uniform integer in [0, int(symmetricCrop · extent)], cut from
  /// both sides (divergences, row 51: 7/224)
  float symmetricCrop = 0;
  float scale = 0;            ///< zoom factor drawn log-uniformly from [1/(1+scale), 1+scale]
  float rotationDegrees = 0;  ///< uniform in ±
  float translation = 0;      ///< of the extent, uniform in ±
  float gain = 0;             ///< intensity times U(1 − gain, 1 + gain)
  float offset = 0;           ///< intensity plus U(−offset, offset)
  float gamma = 0;            ///< intensity to the power exp(U(−gamma, gamma))
  float noise = 0;            ///< standard deviation of added Gaussian noise, drawn from U(0, noise)

  static AugmentationOptions none() { return {}; }
  static AugmentationOptions paper();    ///< section V-B: horizontal flip, random crop
  static AugmentationOptions authors();  ///< vertical flip, symmetric crop
  static AugmentationOptions scratch();  ///< ours, for training without pretrained weights
};

/// Warps `rgb` (height × width × 3, in [0, 1], bilinear) and `mask` (height × width, nearest; may be empty) in place.
void augment(const AugmentationOptions& options, Philox& random, int64_t height, int64_t width, std::vector<float>& rgb,
             std::vector<float>& mask);

}  // namespace jcs
