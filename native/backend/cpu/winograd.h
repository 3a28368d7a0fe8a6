#pragma once

#include <map>
#include <vector>

#include "backend/cpu/implicit_gemm.h"
#include "backend/cpu/winograd_transform.h"

namespace jcs::cpu {

/// A 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3): a quarter of the products, in float32 whatever the tensors'
/// type. Where the processor multiplies float32 at half the rate of bf16, that is faster than bf16's plain sums and
/// rounds less.
///
/// Patches of the input become 36 numbers a channel; for each of the 36 points one matrix product (tiles × channels by
/// channels × outputs, BRGEMM) and back. Blocks of tiles are small enough for what lies between to stay in the cache.
class WinogradConvolution {
 public:
  static constexpr const char* kName = "brgemm:winograd";

  /// Whether this is faster than the direct sum here: enough tiles and channels, and no matrix unit for bf16.
  static bool suits(const GemmConvolution& convolution);

  WinogradConvolution(CpuDevice& device, int threads, const GemmConvolution& convolution);

  int64_t packedBytes() const { return outputBlocks_ * blockWeights_ * static_cast<int64_t>(sizeof(float)); }
  void pack(DType dtype, const std::byte* source, const WeightStrides& strides, std::byte* packed) const;
  /// The channels, which the weights tell, decide everything about it.
  std::string packedForm() const { return kName; }

  int64_t scratchBytes() const { return lanes_ * laneBytes_; }
  /// `bias` and `residual` may be null; `bias` is float32.
  void run(const std::byte* x, const std::byte* weights, const float* bias, const std::byte* residual, std::byte* y,
           std::byte* scratch) const;

 private:
  struct Run;   ///< the pointers of one run
  struct Lane;  ///< the buffers of one block of tiles

  int64_t tilesOf(int64_t block) const;
  int64_t outputsOf(int64_t outputBlock) const;
  Lane lane(std::byte* scratch, int64_t index) const;
  void makeKernels();

  void transformTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin, int64_t end) const;
  void multiply(const Run& run, const Lane& lane, int64_t tiles, int64_t beginPoint, int64_t endPoint,
                std::byte* scratchpad) const;
  void storeTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin, int64_t end,
                  std::byte* sink) const;

  CpuDevice& device_;
  int threads_;
  GemmConvolution conv_;
  winograd::Tiling tiling_;
  std::vector<float> zeros_;  ///< a pixel outside of the image, and no bias
  int64_t tilesPerBlock_ = 0, blocks_ = 0;
  int64_t lanes_ = 0;  ///< blocks at work at a time: one a thread, or one that all threads share
  int64_t outputBlocks_ = 0, outputsPerBlock_ = 0;
  int64_t blockWeights_ = 0;                            ///< floats
  int64_t inputPointStride_ = 0, sumsPointStride_ = 0;  ///< floats from point to point
  int64_t sinkBytes_ = 0, scratchpadBytes_ = 0, laneBytes_ = 0;
  std::map<std::pair<int64_t, int64_t>, dnnl::ukernel::brgemm> kernels_;  ///< by tiles and outputs
};

}  // namespace jcs::cpu
