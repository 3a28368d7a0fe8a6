#pragma once

#include <cstdint>

#include "ops/image_records.h"

namespace jcs::data {

/// What is done to a training image and its mask. First the window is drawn, so that values are stretched before they
/// are cut off. One warp, affine and then elastic, carries all the geometry, so an image is sampled once; intensities
/// change after it: sharpness, then x^gamma · gain + offset + noise, kept in [0, 1]. A value of 0 switches its part
/// off. Everything is drawn from Philox(seed, epoch, sample, kAugment), the window with kWindow.
struct AugmentationOptions {
  float horizontalFlip = 0;  ///< probability
  float verticalFlip = 0;    ///< probability
  float cropMargin = 0;      ///< paper: random crop, each side's margin uniform in [0, cropMargin] of the extent
  /// authors: with probability ½ one margin per axis, uniform integer in [0, int(symmetricCrop · extent)], cut from
  /// both sides (theirs is 7/224)
  float symmetricCrop = 0;
  float scale = 0;            ///< zoom factor drawn log-uniformly from [1/(1+scale), 1+scale]
  float rotationDegrees = 0;  ///< uniform in ±
  float translation = 0;      ///< of the extent, uniform in ±
  float elastic = 0;          ///< of the extent: how far the nodes of a grid of 4 × 4 cells move at most
  float sharpness = 0;        ///< x plus U(−sharpness, sharpness) times what a binomial filter takes from it
  float gain = 0;             ///< intensity times U(1 − gain, 1 + gain)
  float offset = 0;           ///< intensity plus U(−offset, offset)
  float gamma = 0;            ///< intensity to the power exp(U(−gamma, gamma))
  float noise = 0;            ///< standard deviation of added Gaussian noise, drawn from U(0, noise)
  float windowCenter = 0;     ///< of the window's width, uniform in ±
  float windowWidth = 0;      ///< factor of the width, drawn log-uniformly from [1/(1+windowWidth), 1+windowWidth]

  bool operator==(const AugmentationOptions&) const = default;
  static AugmentationOptions none() { return {}; }
  /// Section V-B: horizontal flip and random crop. How far the crop goes is not published; ours takes up to an eighth
  /// from every side.
  static AugmentationOptions paper();
  static AugmentationOptions authors();  ///< vertical flip and symmetric crop
  /// Ours, for training without pretrained weights on few images: both flips, zoom, rotation, shift, intensities.
  static AugmentationOptions scratch();
};

/// The window of sample `sample` in an epoch, around its `record`'s. Values that are in [0, 1] anyway are stretched by
/// the same share of that range.
void drawWindow(const AugmentationOptions& options, uint64_t seed, uint32_t epoch, uint32_t sample,
                ImageRecord& record);

/// What is done to sample `sample` in an epoch, once it is resized to height × width.
Augmentation drawAugmentation(const AugmentationOptions& options, uint64_t seed, uint32_t epoch, uint32_t sample,
                              int64_t height, int64_t width);

}  // namespace jcs::data
