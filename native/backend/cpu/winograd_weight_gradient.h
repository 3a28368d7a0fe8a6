#pragma once

#include <vector>

#include "backend/cpu/winograd_tiles.h"

namespace jcs::cpu {

/// The weight gradient of a 3×3 convolution of stride 1, as the transpose of Winograd's F(4×4, 3×3): per point the
/// product of x's transformed patches and dy's, summed over all tiles, then Gᵀ · G. A quarter of the products of the
/// plain sum, in float32 whatever the tensors' type.
class WinogradWeightGradient {
 public:
  static constexpr const char* kName = "winograd";

  /// Whether this is faster than the plain sum here. `convolution` is the forward one.
  static bool suits(const GemmConvolution& convolution);

  WinogradWeightGradient(CpuDevice& device, int threads, const GemmConvolution& convolution);

  int64_t scratchBytes() const { return lanes_ * laneBytes_; }
  /// dw is O×I×3×3.
  void run(const std::byte* x, const std::byte* dy, float* dw, std::byte* scratch) const;

 private:
  struct Lane;  ///< patches of a block of tiles, and the sums

  Lane lane(std::byte* scratch, int64_t index) const;
  void transformTiles(const std::byte* x, const std::byte* dy, const Lane& lane, int64_t first, int64_t begin,
                      int64_t end) const;
  void addPoints(const Lane& lane, int64_t tiles, int64_t begin, int64_t end, bool add) const;
  void runShared(const std::byte* x, const std::byte* dy, std::byte* scratch) const;
  void runSeparately(const std::byte* x, const std::byte* dy, std::byte* scratch) const;

  CpuDevice& device_;
  int threads_;
  GemmConvolution conv_;
  winograd::Tiling tiling_;
  std::vector<float> zeros_;  ///< a pixel outside of the image
  int64_t tilesPerBlock_ = 0;
  int64_t inputStride_ = 0, gradientStride_ = 0;            ///< floats from tile to tile
  int64_t inputPointStride_ = 0, gradientPointStride_ = 0;  ///< floats from point to point
  int64_t sumRows_ = 0, sumColumns_ = 0;                    ///< of one point's I×O sums, padded
  int64_t lanes_ = 1;  ///< one a thread where the sums fit its cache, else one that all threads share
  int64_t laneBytes_ = 0;
};

}  // namespace jcs::cpu
