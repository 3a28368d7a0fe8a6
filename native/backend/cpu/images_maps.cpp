#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/vectorise.h"
#include "ops/images.h"
#include "ops/resize.h"

namespace jcs::cpu {

namespace {

JCS_VECTORISED void mixRows(float* row, const float* upper, const float* lower, float down, int64_t count) {
  for (int64_t i = 0; i < count; ++i) row[i] = upper[i] + down * (lower[i] - upper[i]);
}

JCS_VECTORISED void mixColumns(float* to, const float* row, const int32_t* low, const int32_t* high,
                               const float* fraction, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = row[low[i]] + fraction[i] * (row[high[i]] - row[low[i]]);
}

JCS_VECTORISED void markAbove(uint8_t* mask, const float* values, float threshold, int64_t count) {
  for (int64_t i = 0; i < count; ++i) mask[i] = values[i] > threshold ? 1 : 0;
}

JCS_VECTORISED int64_t countMarked(const uint8_t* mask, int64_t count) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += mask[i];
  return sum;
}

JCS_VECTORISED int64_t countNotFinite(const float* values, int64_t count) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += (bitsOf(values[i]) & 0x7f800000u) == 0x7f800000u ? 1 : 0;
  return sum;
}

class MapsToSourcesKernel : public Kernel {
 public:
  explicit MapsToSourcesKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        shape_(p.inputs[0].type.shape),
        pixels_(p.as<MapsToSources>().pixels),
        lanes_(static_cast<size_t>(threads_)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const auto* maps = reinterpret_cast<const float*>(in[0]);
    const auto* targets = reinterpret_cast<const MapTarget*>(in[1]);
    auto* masks = reinterpret_cast<uint8_t*>(out[0]);
    auto* statistics = reinterpret_cast<MapStatistics*>(out[1]);
    auto* probabilities = out.size() == 3 ? reinterpret_cast<float*>(out[2]) : nullptr;
    const int64_t samples = shape_[0], mapPixels = shape_[1] * shape_[2];

    firstRow_.assign(1, 0);
    for (int64_t n = 0; n < samples; ++n)
      firstRow_.push_back(firstRow_.back() + (isUsable(targets[n], pixels_) ? targets[n].height : 0));
    for (Lane& lane : lanes_) lane.sample = -1;
    pool_.parallelFor(threads_, firstRow_.back(), 16, [&](int64_t begin, int64_t end, int thread) {
      Lane& lane = lanes_[static_cast<size_t>(thread)];
      auto n = std::ranges::upper_bound(firstRow_, begin) - firstRow_.begin() - 1;
      for (int64_t i = begin; i < end; ++i) {
        while (i >= firstRow_[static_cast<size_t>(n) + 1]) ++n;
        const MapTarget& target = targets[n];
        if (lane.sample != n) placeColumns(lane, n, target.width);
        const int64_t y = i - firstRow_[static_cast<size_t>(n)], at = target.offset + y * target.width;
        const float* row = resizeRow(lane, maps + n * mapPixels, target, y);
        markAbove(masks + at, row, target.threshold, target.width);
        if (probabilities) std::copy_n(row, target.width, probabilities + at);
      }
    });
    pool_.parallelFor(threads_, samples, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t n = begin; n < end; ++n) {
        const MapTarget& target = targets[n];
        const int64_t count = isUsable(target, pixels_) ? int64_t{target.width} * target.height : 0;
        statistics[n].lesionPixels = count > 0 ? countMarked(masks + target.offset, count) : 0;
        statistics[n].notFinite = countNotFinite(maps + n * mapPixels, mapPixels);
      }
    });
  }

 private:
  /// What a thread keeps while it makes the rows of a sample.
  struct Lane {
    int64_t sample = -1;
    std::vector<int32_t> low, high;
    std::vector<float> fraction, row, result;
  };

  void placeColumns(Lane& lane, int64_t sample, int64_t width) {
    lane.sample = sample;
    lane.low.clear();
    lane.high.clear();
    lane.fraction.clear();
    for (int64_t x = 0; x < width; ++x) {
      const ResizeTap tap = resizeTap(x, shape_[2], width, false);
      lane.low.push_back(static_cast<int32_t>(tap.low));
      lane.high.push_back(static_cast<int32_t>(tap.high));
      lane.fraction.push_back(static_cast<float>(tap.fraction));
    }
    lane.row.resize(static_cast<size_t>(shape_[2]));
    lane.result.resize(static_cast<size_t>(width));
  }

  /// The row itself where the map has the target's size.
  const float* resizeRow(Lane& lane, const float* map, const MapTarget& target, int64_t y) const {
    const int64_t height = shape_[1], width = shape_[2];
    const ResizeTap tap = resizeTap(y, height, target.height, false);
    const float* row = map + tap.low * width;
    if (tap.fraction != 0) {
      mixRows(lane.row.data(), row, map + tap.high * width, static_cast<float>(tap.fraction), width);
      row = lane.row.data();
    }
    if (target.width == width) return row;
    mixColumns(lane.result.data(), row, lane.low.data(), lane.high.data(), lane.fraction.data(), target.width);
    return lane.result.data();
  }

  ThreadPool& pool_;
  int threads_;
  Shape shape_;
  int64_t pixels_;
  std::vector<Lane> lanes_;
  std::vector<int64_t> firstRow_;  ///< by sample, of all targets' rows
};

}  // namespace

void registerImageMaps(Registry& registry) {
  registry.add<MapsToSources>([](const Prepare& p) { return std::make_unique<MapsToSourcesKernel>(p); });
}

}  // namespace jcs::cpu
