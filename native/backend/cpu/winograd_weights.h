#pragma once

#include <vector>

#include "backend/cpu/implicit_gemm.h"
#include "backend/cpu/winograd_transform.h"

namespace jcs::cpu {

/// The weights of a 3×3 convolution for Winograd's products: 36 matrices of channels × outputs, by blocks of outputs.
///
/// Few are kept as these matrices. Many would be four times the memory of the nine taps that they are made of, and
/// longer in coming from there than in being made again: they are kept as taps, and some at a time become matrices in
/// memory that stays in the last cache.
class WinogradWeights {
 public:
  /// What is multiplied at a time: points [firstPoint, firstPoint + points), so many channels. Where taps are kept, one
  /// row of the square of points.
  struct Pass {
    int firstPoint, points;
    int64_t firstChannel, channels;
  };
  /// [point][block][channel][outputsPerBlock] of a pass; of one of its blocks, `blockStride` is 0.
  struct Matrices {
    const float* data;
    int64_t pointStride, blockStride;  ///< floats
  };

  /// `staysPacked`: see KernelOptions.
  WinogradWeights(int64_t channels, int64_t outChannels, bool staysPacked);

  /// Beside it, the channels decide everything.
  const char* form() const { return areTaps_ ? "winograd, as taps" : "winograd"; }
  int64_t packedBytes() const { return outputBlocks_ * blockFloats_ * static_cast<int64_t>(sizeof(float)); }
  void pack(ThreadPool& pool, int threads, DType dtype, const std::byte* source, const WeightStrides& strides,
            std::byte* packed) const;

  int64_t outputBlocks() const { return outputBlocks_; }
  int64_t outputsPerBlock() const { return outputsPerBlock_; }  ///< whole vectors; the last block may have fewer
  int64_t outputsOf(int64_t block) const;

  bool areTaps() const { return areTaps_; }
  /// All channels of a point come one after the other. One pass of everything where matrices are kept.
  const std::vector<Pass>& passes() const { return passes_; }
  /// Of all blocks of a pass: kept ones, or made on all threads in `scratch` of `passBytes`.
  Matrices matrices(ThreadPool& pool, int threads, const Pass& pass, const std::byte* packed, std::byte* scratch) const;
  int64_t passBytes() const { return areTaps_ ? pointBytes(outputBlocks_) * winograd::kPatch : 0; }
  /// Of one block of a pass, where taps are kept: made on this thread, in `scratch` of `blockBytes`.
  Matrices matricesOf(const Pass& pass, int64_t block, const std::byte* packed, std::byte* scratch) const;
  int64_t blockBytes() const { return pointBytes(1) * winograd::kPatch; }

 private:
  /// From one point of a pass to the next.
  int64_t pointBytes(int64_t blocks) const;
  void make(const Pass& pass, int64_t block, int64_t firstChannel, int64_t channels, const std::byte* packed,
            float* matrices, int64_t pointStride) const;

  int64_t channels_, outChannels_;
  int64_t outputBlocks_, outputsPerBlock_;
  int64_t channelsPerPass_;
  bool areTaps_;
  int64_t blockFloats_;  ///< of the packed weights
  std::vector<Pass> passes_;
};

}  // namespace jcs::cpu
