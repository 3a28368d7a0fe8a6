#include "diagnosis/value_histogram.h"

#include <algorithm>
#include <cmath>

namespace jcs::diagnosis {

namespace {

constexpr size_t kBins = 2048;
/// Ranges that are tried: shares of the whole one, down to this.
constexpr int kShares = 100, kLeastShare = 20;

}  // namespace

void ValueHistogram::addToRange(std::span<const float> values) {
  if (values.empty()) return;
  const auto [low, high] = std::ranges::minmax(values);
  range_ = {std::min(range_.low, low), std::max(range_.high, high)};
}

void ValueHistogram::add(std::span<const float> values) {
  bins_.resize(kBins);
  const float extent = range_.high - range_.low;
  const float perBin = extent > 0 ? static_cast<float>(kBins) / extent : 0.0f;
  for (const float value : values)
    if (value != 0)  // a byte gives it back exactly, whatever the steps
      ++bins_[std::min(static_cast<size_t>(std::max((value - range_.low) * perBin, 0.0f)), kBins - 1)];
}

double ValueHistogram::centre(size_t bin) const {
  const double extent = static_cast<double>(range_.high) - static_cast<double>(range_.low);
  return static_cast<double>(range_.low) + (static_cast<double>(bin) + 0.5) * extent / static_cast<double>(kBins);
}

/// Of values inside, that of rounding evenly distributed ones: a twelfth of the square of a step.
double ValueHistogram::squareError(const compiler::ValueRange& clipped) const {
  const auto step = static_cast<double>(compiler::quantizationOf(clipped).scale);
  const double low = static_cast<double>(clipped.low), high = static_cast<double>(clipped.high);
  double sum = 0;
  for (size_t bin = 0; bin < bins_.size(); ++bin) {
    if (bins_[bin] == 0) continue;
    const double value = centre(bin), outside = value - std::clamp(value, low, high);
    sum += static_cast<double>(bins_[bin]) * (outside != 0 ? outside * outside : step * step / 12);
  }
  return sum;
}

compiler::ValueRange ValueHistogram::bestRange() const {
  compiler::ValueRange best = range_;
  double least = squareError(range_);
  for (int share = kShares - 1; share >= kLeastShare; --share) {
    const float factor = static_cast<float>(share) / kShares;
    const compiler::ValueRange clipped{range_.low * factor, range_.high * factor};
    const double error = squareError(clipped);
    if (error < least) best = clipped, least = error;
  }
  return best;
}

}  // namespace jcs::diagnosis
