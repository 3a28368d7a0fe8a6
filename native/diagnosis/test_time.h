#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace jcs::diagnosis {

/// Test-time augmentation: the network sees a slice several times, flipped and at several sizes, and its outputs are
/// averaged once they are turned back. As it is here it sees the slice once, as it is.
struct TestTimeAugmentation {
  static constexpr size_t kMostScales = 5;
  static constexpr double kSmallestScale = 0.25, kLargestScale = 4;

  bool horizontalFlip = false;  ///< as it is, and left to right
  bool verticalFlip = false;    ///< and upside down; with both, both at once, too
  std::vector<double> scales = {1};

  /// The input sizes of the scales: of scale 1 the model's own, of others the nearest multiple of 32 (by which trunks
  /// reduce). INVALID_ARGUMENT for one that networks do not take, for no scale and for more than `kMostScales`.
  std::vector<int64_t> inputSizes(int64_t inputSize) const;
  /// The axes of N×H×W×C along which the slice is flipped, view by view.
  std::vector<std::vector<int64_t>> flips() const;
  /// Equal for equal views.
  std::string text() const;
};

}  // namespace jcs::diagnosis
