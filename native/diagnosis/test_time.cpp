#include "diagnosis/test_time.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "networks/registry.h"

namespace jcs::diagnosis {

namespace {

constexpr int64_t kHeightAxis = 1, kWidthAxis = 2;
constexpr int64_t kSizeStep = 32;

}  // namespace

std::vector<int64_t> TestTimeAugmentation::inputSizes(int64_t inputSize) const {
  require(!scales.empty() && scales.size() <= kMostScales, errors::kInvalidArgument, [&] {
    return "testTimeAugmentation.scales has " + std::to_string(scales.size()) + " scales; give 1 to " +
           std::to_string(kMostScales);
  });
  std::vector<int64_t> sizes;
  for (double scale : scales) {
    require(scale >= kSmallestScale && scale <= kLargestScale, errors::kInvalidArgument, [&] {
      return "every one of testTimeAugmentation.scales must be in [0.25, 4], got " + std::to_string(scale);
    });
    const double scaled = scale * static_cast<double>(inputSize);
    const int64_t size =
        scale == 1 ? inputSize : std::max<int64_t>(1, std::lround(scaled / double{kSizeStep})) * kSizeStep;
    require(size >= networks::kSmallestInput && size <= networks::kLargestInput, errors::kInvalidArgument, [&] {
      return "a scale of testTimeAugmentation makes the input " + std::to_string(size) + " pixels; networks take " +
             std::to_string(networks::kSmallestInput) + " to " + std::to_string(networks::kLargestInput);
    });
    sizes.push_back(size);
  }
  return sizes;
}

std::vector<std::vector<int64_t>> TestTimeAugmentation::flips() const {
  std::vector<std::vector<int64_t>> views{{}};
  if (horizontalFlip) views.push_back({kWidthAxis});
  if (verticalFlip) views.push_back({kHeightAxis});
  if (horizontalFlip && verticalFlip) views.push_back({kHeightAxis, kWidthAxis});
  return views;
}

std::string TestTimeAugmentation::text() const {
  std::string text = std::string(horizontalFlip ? "h" : "") + (verticalFlip ? "v" : "");
  for (double scale : scales) text += ' ' + std::to_string(scale);
  return text;
}

}  // namespace jcs::diagnosis
