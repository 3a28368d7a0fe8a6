#pragma once

#include "graph/graph.h"
#include "ops/image_records.h"

/// From the bytes of a batch's images and masks to what a network reads, and from its maps back to bytes. Sources have
/// different sizes and programs one, so the bytes of a batch lie end to end in one input, and a table of records
/// (image_records.h) says what lies where. None of these has a gradient.
namespace jcs {

/// Images N×height×width×3 in [0, 1] from (bytes, a table of N `ImageRecord`): resized bilinearly with antialiasing (a
/// triangle filter as wide as the reduction: PIL's and torch's antialias=True), gray replicated. A source that is not
/// usable is black.
class PixelsToImages : public OpOf<PixelsToImages> {
 public:
  static constexpr std::string_view kName = "pixels_to_images";

  int64_t height = 0, width = 0;

  void visit(auto&& attribute) const {
    attribute("height", height);
    attribute("width", width);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int) const override { return Precision::kBytes; }
};

/// Masks N×height×width×1 of 0 and 1 from (bytes, a table of N `ImageRecord`) or (bytes, sources, a table of N
/// `Augmentation`): the nearest pixel of the source, warped as its image is. What lies outside, and all of a mask that
/// is not there, is 0.
class BitsToMasks : public OpOf<BitsToMasks> {
 public:
  static constexpr std::string_view kName = "bits_to_masks";

  int64_t height = 0, width = 0;

  void visit(auto&& attribute) const {
    attribute("height", height);
    attribute("width", width);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int) const override { return Precision::kBytes; }
};

/// Images warped (bilinear; black comes in from outside) and changed in intensity, from (N×H×W×3 in [0, 1], a table of
/// N `Augmentation`).
class AugmentImages : public OpOf<AugmentImages> {
 public:
  static constexpr std::string_view kName = "augment_images";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int input) const override { return input == 0 ? Precision::kFloat32 : Precision::kBytes; }
};

/// The first n samples of x, each mixed with another (eq. 3), from (M×…, a table of n ≤ M `MixedSample`). A partner
/// that does not exist is the sample itself.
class MixSamples : public OpOf<MixSamples> {
 public:
  static constexpr std::string_view kName = "mix_samples";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int input) const override { return input == 0 ? Precision::kFloat32 : Precision::kBytes; }
};

/// Averages x, N×H×W×1, over a grid of height × width equal rectangles, which may cut pixels: the annotation S of eq. 4
/// at the features' resolution.
class AreaAverage : public OpOf<AreaAverage> {
 public:
  static constexpr std::string_view kName = "area_average";

  int64_t height = 0, width = 0;

  void visit(auto&& attribute) const {
    attribute("height", height);
    attribute("width", width);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  double flops(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return static_cast<double>(inputs[0].elements());
  }
};

/// Masks of the sources' sizes from (probabilities N×h×w×1, a table of N `MapTarget`): bilinear interpolation of pixel
/// areas, then 1 where it is above the threshold, else 0. Results: bytes [pixels], a table of N `MapStatistics`, and,
/// when asked for, the resized probabilities [pixels]. What no target covers is left as it is.
class MapsToSources : public OpOf<MapsToSources> {
 public:
  static constexpr std::string_view kName = "maps_to_sources";

  int64_t pixels = 0;
  bool probabilities = false;

  void visit(auto&& attribute) const {
    attribute("pixels", pixels);
    attribute("probabilities", probabilities);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int input) const override { return input == 0 ? Precision::kFloat32 : Precision::kBytes; }
};

Value pixelsToImages(Value bytes, Value sources, int64_t height, int64_t width);
/// `augmentations` may be invalid: masks are not warped then.
Value bitsToMasks(Value bytes, Value sources, Value augmentations, int64_t height, int64_t width);
Value augmentImages(Value images, Value augmentations);
Value mixSamples(Value x, Value mixed);
Value areaAverage(Value x, int64_t height, int64_t width);
std::vector<Value> mapsToSources(Value maps, Value targets, int64_t pixels, bool probabilities);

/// The type of a table of `count` records.
template <typename Record>
TensorType tableOf(int64_t count) {
  return typeOf<Record>({count});
}

}  // namespace jcs
