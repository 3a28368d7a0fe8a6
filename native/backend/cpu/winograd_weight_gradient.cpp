#include "backend/cpu/winograd_weight_gradient.h"

#include <algorithm>

#include "backend/cpu/onednn.h"

namespace jcs::cpu {

namespace {

using winograd::kPatch;
using winograd::kPoints;

constexpr int64_t kRows = 6;  // of sums in registers, by up to four vectors: 24 of AVX-512's 32
constexpr int kMaxVectors = 4;
constexpr int64_t kCacheBytes = 1 << 20;  // about a second-level cache
constexpr int64_t kLeastTiles = 16, kMaxTilesPerBlock = 256;

/// sums[row][vector] (+)= Σ over tiles of a[tile][row] · b[tile][vector], one register tile.
template <int kVectors>
JCS_INLINE void addProducts(int64_t tiles, const float* a, int64_t aStride, const float* b, int64_t bStride, bool add,
                            float* sums, int64_t sumsStride) {
  Floats total[kRows][kVectors];
  for (int row = 0; row < kRows; ++row)
    for (int v = 0; v < kVectors; ++v)
      total[row][v] = add ? load<Floats>(sums + row * sumsStride + v * kLanes) : Floats{};
  for (int64_t t = 0; t < tiles; ++t, a += aStride, b += bStride) {
    Floats right[kVectors];
    for (int v = 0; v < kVectors; ++v) right[v] = load<Floats>(b + v * kLanes);
    for (int row = 0; row < kRows; ++row) {
      const Floats left = Floats{} + a[row];
      for (int v = 0; v < kVectors; ++v) total[row][v] += left * right[v];
    }
  }
  for (int row = 0; row < kRows; ++row)
    for (int v = 0; v < kVectors; ++v) store(sums + row * sumsStride + v * kLanes, total[row][v]);
}

/// All sums of one point: rows × columns, both padded to whole register tiles.
JCS_VECTORISED void addPoint(int64_t tiles, const float* a, int64_t aStride, const float* b, int64_t bStride,
                             int64_t rows, int64_t columns, bool add, float* sums) {
  for (int64_t column = 0; column < columns; column += kMaxVectors * kLanes) {
    const int64_t vectors = std::min<int64_t>(kMaxVectors, (columns - column) / kLanes);
    for (int64_t row = 0; row < rows; row += kRows) {
      float* const to = sums + row * columns + column;
      switch (vectors) {
        case 1: addProducts<1>(tiles, a + row, aStride, b + column, bStride, add, to, columns); break;
        case 2: addProducts<2>(tiles, a + row, aStride, b + column, bStride, add, to, columns); break;
        case 3: addProducts<3>(tiles, a + row, aStride, b + column, bStride, add, to, columns); break;
        default: addProducts<4>(tiles, a + row, aStride, b + column, bStride, add, to, columns); break;
      }
    }
  }
}

JCS_VECTORISED void addSums(int64_t count, const float* from, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

/// Gᵀ u G of channels [begin, end): sums [point][channel][output] to dw O×I×3×3.
JCS_VECTORISED void transformSums(const float* sums, int64_t pointStride, int64_t columns, int64_t channels,
                                  int64_t outputs, int64_t begin, int64_t end, float* dw) {
  for (int64_t i = begin; i < end; ++i)
    for (int64_t o = 0; o < outputs; o += kLanes) {
      const float* const from = sums + i * columns + o;
      float taps[3][3][kLanes];
      winograd::transformSquare<kPatch, 3, Floats>(
          [&](int row, int column)
              JCS_INLINE_LAMBDA { return load<Floats>(from + (row * kPatch + column) * pointStride); },
          [](const auto& line, auto& result) JCS_INLINE_LAMBDA { winograd::transformWeightGradient(line, result); },
          [&](int row, int column, const Floats& value) JCS_INLINE_LAMBDA { store(taps[row][column], value); });
      const int64_t count = std::min(kLanes, outputs - o);
      for (int64_t lane = 0; lane < count; ++lane)
        for (int r = 0; r < 3; ++r)
          for (int s = 0; s < 3; ++s) dw[((o + lane) * channels + i) * 9 + r * 3 + s] = taps[r][s][lane];
    }
}

}  // namespace

bool WinogradWeightGradient::suits(const GemmConvolution& c) {
  const bool usual = c.kernelHeight == 3 && c.kernelWidth == 3 && c.stride == 1;
  if (!usual || c.channels < kLanes || c.outChannels < kLanes) return false;
  if (c.dtype == DType::kBF16 && hasBf16MatrixUnit()) return false;
  const winograd::Tiling tiling{c.batch, c.outHeight, c.outWidth, c.dilation};
  const int64_t pixels = c.batch * c.outHeight * c.outWidth;
  const bool filled = pixels * 2 >= tiling.count() * winograd::kOutputs * winograd::kOutputs;
  return filled && tiling.count() >= kLeastTiles && hasAvx512();
}

WinogradWeightGradient::WinogradWeightGradient(CpuDevice& device, int threads, const GemmConvolution& convolution)
    : device_(device),
      threads_(threads),
      conv_(convolution),
      tiling_{conv_.batch, conv_.outHeight, conv_.outWidth, conv_.dilation},
      zeros_(static_cast<size_t>(std::max(conv_.channels, conv_.outChannels))),
      // Whole vectors and one more, lest the same channels of many tiles share places of the first-level cache.
      inputStride_(roundUp(conv_.channels, kLanes) + kLanes),
      gradientStride_(roundUp(conv_.outChannels, kLanes) + kLanes),
      sumRows_(roundUp(conv_.channels, kRows)),
      sumColumns_(roundUp(conv_.outChannels, kLanes)) {
  const auto size = static_cast<int64_t>(sizeof(float));
  const int64_t sumBytes = kPoints * sumRows_ * sumColumns_ * size;
  const int64_t tileBytes = kPoints * (inputStride_ + gradientStride_) * size;
  if (sumBytes <= kCacheBytes) lanes_ = threads_;
  // A block's patches fill the cache, or, where the sums are larger, as much memory as these: both are read once a
  // block.
  const int64_t blockBytes = lanes_ > 1 ? kCacheBytes : std::max(threads_ * kCacheBytes, sumBytes);
  const int64_t fitting = std::clamp(blockBytes / tileBytes, kLeastTiles, kMaxTilesPerBlock);
  tilesPerBlock_ = std::min(fitting, tiling_.count());
  inputPointStride_ = winograd::pointStride(tilesPerBlock_, inputStride_);
  gradientPointStride_ = winograd::pointStride(tilesPerBlock_, gradientStride_);
  laneBytes_ = alignedUp(kPoints * (inputPointStride_ + gradientPointStride_) * size + sumBytes);
}

struct WinogradWeightGradient::Lane {
  winograd::Points inputs, gradients;
  float* sums;
};

WinogradWeightGradient::Lane WinogradWeightGradient::lane(std::byte* scratch, int64_t index) const {
  float* const inputs = reinterpret_cast<float*>(scratch + index * laneBytes_);
  float* const gradients = inputs + kPoints * inputPointStride_;
  return {{inputs, inputPointStride_, inputStride_},
          {gradients, gradientPointStride_, gradientStride_},
          gradients + kPoints * gradientPointStride_};
}

void WinogradWeightGradient::transformTiles(const std::byte* x, const std::byte* dy, const Lane& lane, int64_t first,
                                            int64_t begin, int64_t end) const {
  withElement(conv_.dtype, [&]<typename T>(T*) {
    winograd::transformTiles(conv_, tiling_, reinterpret_cast<const T*>(x), zeros_.data(), first, begin, end,
                             lane.inputs);
    winograd::transformGradientTiles(conv_, tiling_, reinterpret_cast<const T*>(dy), zeros_.data(), first, begin, end,
                                     lane.gradients);
  });
}

void WinogradWeightGradient::addPoints(const Lane& lane, int64_t tiles, int64_t begin, int64_t end, bool add) const {
  for (int64_t point = begin; point < end; ++point)
    addPoint(tiles, lane.inputs.data + point * inputPointStride_, inputStride_,
             lane.gradients.data + point * gradientPointStride_, gradientStride_, sumRows_, sumColumns_, add,
             lane.sums + point * sumRows_ * sumColumns_);
}

/// The threads share the tiles of each block, then its points.
void WinogradWeightGradient::runShared(const std::byte* x, const std::byte* dy, std::byte* scratch) const {
  const Lane shared = lane(scratch, 0);
  ThreadPool& pool = device_.pool();
  const int64_t total = tiling_.count();
  for (int64_t first = 0; first < total; first += tilesPerBlock_) {
    const int64_t tiles = std::min(tilesPerBlock_, total - first);
    pool.parallelFor(threads_, tiles, 1,
                     [&](int64_t begin, int64_t end, int) { transformTiles(x, dy, shared, first, begin, end); });
    pool.parallelFor(threads_, kPoints, 1,
                     [&](int64_t begin, int64_t end, int) { addPoints(shared, tiles, begin, end, first > 0); });
  }
}

/// Each thread sums its own tiles; then the sums are added.
void WinogradWeightGradient::runSeparately(const std::byte* x, const std::byte* dy, std::byte* scratch) const {
  std::vector<char> used(static_cast<size_t>(lanes_));
  device_.pool().parallelRanges(threads_, tiling_.count(), kLeastTiles, [&](int64_t begin, int64_t end, int thread) {
    const Lane own = lane(scratch, thread);
    used[static_cast<size_t>(thread)] = 1;
    for (int64_t first = begin; first < end; first += tilesPerBlock_) {
      const int64_t tiles = std::min(tilesPerBlock_, end - first);
      transformTiles(x, dy, own, first, 0, tiles);
      addPoints(own, tiles, 0, kPoints, first > begin);
    }
  });
  float* const sums = lane(scratch, 0).sums;
  for (int64_t index = 1; index < lanes_; ++index)
    if (used[static_cast<size_t>(index)]) addSums(kPoints * sumRows_ * sumColumns_, lane(scratch, index).sums, sums);
}

void WinogradWeightGradient::run(const std::byte* x, const std::byte* dy, float* dw, std::byte* scratch) const {
  if (lanes_ > 1)
    runSeparately(x, dy, scratch);
  else
    runShared(x, dy, scratch);
  const float* const sums = lane(scratch, 0).sums;
  device_.pool().parallelFor(threads_, conv_.channels, 1, [&](int64_t begin, int64_t end, int) {
    transformSums(sums, sumRows_ * sumColumns_, sumColumns_, conv_.channels, conv_.outChannels, begin, end, dw);
  });
}

}  // namespace jcs::cpu
