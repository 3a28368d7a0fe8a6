#include "backend/cpu/winograd_weights.h"

#include <algorithm>

#include "backend/cpu/vectorise.h"
#include "backend/cpu/winograd_transform.h"

namespace jcs::cpu {

namespace {

using winograd::kPatch;
using winograd::kPoints;

constexpr int64_t kTaps = 9;
constexpr int64_t kMaxOutputs = 64;  // four AVX-512 registers of sums a tile
// Measured on AVX2 with two cores: where 1.5 MiB of matrices were made at each run, a layer took a third longer; where
// more than these were, 0 to 9 % (a quarter for 16 tiles alone), which is 1 to 2 % of a network.
constexpr int64_t kMostKeptBytes = 4 << 20;
constexpr int64_t kMostPassBytes = 4 << 20;  // what stays in the last cache

/// Weights of outputs [0, outputs), O×I×3×3 as the strides say, of channels [begin, end).
template <typename S>
JCS_VECTORISED void packBlock(const S* source, const WeightStrides& at, bool asTaps, int64_t outputs,
                              int64_t outputsPadded, int64_t begin, int64_t end, int64_t channels, float* packed) {
  for (int64_t i = begin; i < end; ++i)
    for (int64_t o = 0; o < outputsPadded; o += kLanes) {
      float taps[3][3][kLanes] = {};
      const int64_t count = std::min(kLanes, outputs - o);
      for (int64_t lane = 0; lane < count; ++lane) {
        const S* from = source + (o + lane) * at.output + i * at.input;
        for (int r = 0; r < 3; ++r)
          for (int s = 0; s < 3; ++s) taps[r][s][lane] = load(from + r * at.row + s * at.column);
      }
      if (asTaps)
        for (int tap = 0; tap < kTaps; ++tap)
          store(packed + (i * kTaps + tap) * outputsPadded + o, load<Floats>(taps[tap / 3][tap % 3]));
      else
        winograd::transformSquare<3, kPatch, Floats>(
            [&](int row, int column) JCS_INLINE_LAMBDA { return load<Floats>(taps[row][column]); },
            [](const auto& line, auto& result) JCS_INLINE_LAMBDA { winograd::transformWeights(line, result); },
            [&](int row, int column, const Floats& value) JCS_INLINE_LAMBDA {
              store(packed + ((row * kPatch + column) * channels + i) * outputsPadded + o, value);
            });
    }
}

/// One row of the square of points, of one block of outputs.
template <int kRow>
JCS_INLINE void transformRow(const float* taps, int64_t channels, int64_t outputs, float* matrices,
                             int64_t pointStride) {
  for (int64_t i = 0; i < channels; ++i)
    for (int64_t o = 0; o < outputs; o += kLanes) {
      const float* const from = taps + i * kTaps * outputs + o;
      Floats half[3], points[kPatch];
      for (int column = 0; column < 3; ++column) {
        Floats line[3], all[kPatch];
        for (int row = 0; row < 3; ++row) line[row] = load<Floats>(from + (row * 3 + column) * outputs);
        winograd::transformWeights(line, all);  // of which the compiler keeps one
        half[column] = all[kRow];
      }
      winograd::transformWeights(half, points);
      for (int column = 0; column < kPatch; ++column)
        store(matrices + column * pointStride + i * outputs + o, points[column]);
    }
}

JCS_VECTORISED void transformTaps(int row, const float* taps, int64_t channels, int64_t outputs, float* matrices,
                                  int64_t pointStride) {
  static_assert(kPatch == 6);
  switch (row) {
    case 0: return transformRow<0>(taps, channels, outputs, matrices, pointStride);
    case 1: return transformRow<1>(taps, channels, outputs, matrices, pointStride);
    case 2: return transformRow<2>(taps, channels, outputs, matrices, pointStride);
    case 3: return transformRow<3>(taps, channels, outputs, matrices, pointStride);
    case 4: return transformRow<4>(taps, channels, outputs, matrices, pointStride);
    default: return transformRow<5>(taps, channels, outputs, matrices, pointStride);
  }
}

}  // namespace

WinogradWeights::WinogradWeights(int64_t channels, int64_t outChannels, bool staysPacked)
    : channels_(channels), outChannels_(outChannels) {
  outputBlocks_ = divideUp(outChannels, kMaxOutputs);
  outputsPerBlock_ = roundUp(divideUp(outChannels, outputBlocks_), kLanes);
  outputBlocks_ = divideUp(outChannels, outputsPerBlock_);
  const int64_t channelBytes = outputBlocks_ * outputsPerBlock_ * static_cast<int64_t>(sizeof(float));  // of a point
  areTaps_ = staysPacked && kPoints * channels * channelBytes > kMostKeptBytes;
  blockFloats_ = (areTaps_ ? kTaps : kPoints) * channels * outputsPerBlock_;
  channelsPerPass_ = channels;
  if (!areTaps_) {
    passes_.push_back({0, kPoints, 0, channels});
    return;
  }
  channelsPerPass_ = divideUp(channels, divideUp(kPatch * channels * channelBytes, kMostPassBytes));
  for (int64_t channel = 0; channel < channels; channel += channelsPerPass_)
    for (int row = 0; row < kPatch; ++row)
      passes_.push_back({row * kPatch, kPatch, channel, std::min(channelsPerPass_, channels - channel)});
}

int64_t WinogradWeights::outputsOf(int64_t block) const {
  return std::min(outputsPerBlock_, outChannels_ - block * outputsPerBlock_);
}

void WinogradWeights::pack(ThreadPool& pool, int threads, DType dtype, const std::byte* source,
                           const WeightStrides& strides, std::byte* packed) const {
  pool.parallelFor(threads, outputBlocks_ * channels_, 8, [&](int64_t begin, int64_t end, int) {
    withElement(dtype, [&]<typename S>(S*) {
      for (int64_t at = begin; at < end;) {
        const int64_t block = at / channels_, channel = at % channels_;
        const int64_t stop = std::min(channels_, channel + end - at);
        packBlock(reinterpret_cast<const S*>(source) + strides.origin + block * outputsPerBlock_ * strides.output,
                  strides, areTaps_, outputsOf(block), outputsPerBlock_, channel, stop, channels_,
                  reinterpret_cast<float*>(packed) + block * blockFloats_);
        at += stop - channel;
      }
    });
  });
}

int64_t WinogradWeights::pointBytes(int64_t blocks) const {
  const int64_t floats = blocks * channelsPerPass_ * outputsPerBlock_;
  return (floats + kLanes) * static_cast<int64_t>(sizeof(float));  // a little apart from whole pages
}

void WinogradWeights::make(const Pass& pass, int64_t block, int64_t firstChannel, int64_t channels,
                           const std::byte* packed, float* matrices, int64_t pointStride) const {
  const float* const taps = reinterpret_cast<const float*>(packed) + block * blockFloats_ +
                            (pass.firstChannel + firstChannel) * kTaps * outputsPerBlock_;
  transformTaps(pass.firstPoint / kPatch, taps, channels, outputsPerBlock_, matrices, pointStride);
}

WinogradWeights::Matrices WinogradWeights::matricesOf(const Pass& pass, int64_t block, const std::byte* packed,
                                                      std::byte* scratch) const {
  float* const made = reinterpret_cast<float*>(scratch);
  const int64_t pointStride = pointBytes(1) / static_cast<int64_t>(sizeof(float));
  make(pass, block, 0, pass.channels, packed, made, pointStride);
  return {made, pointStride, 0};
}

WinogradWeights::Matrices WinogradWeights::matrices(ThreadPool& pool, int threads, const Pass& pass,
                                                    const std::byte* packed, std::byte* scratch) const {
  if (!areTaps_) return {reinterpret_cast<const float*>(packed), channels_ * outputsPerBlock_, blockFloats_};
  float* const made = reinterpret_cast<float*>(scratch);
  const int64_t pointStride = pointBytes(outputBlocks_) / static_cast<int64_t>(sizeof(float));
  const int64_t blockStride = pass.channels * outputsPerBlock_;
  pool.parallelFor(threads, outputBlocks_ * pass.channels, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t at = begin; at < end;) {
      const int64_t block = at / pass.channels, channel = at % pass.channels;
      const int64_t count = std::min(pass.channels - channel, end - at);
      make(pass, block, channel, count, packed, made + block * blockStride + channel * outputsPerBlock_, pointStride);
      at += count;
    }
  });
  return {made, pointStride, blockStride};
}

}  // namespace jcs::cpu
