#pragma once

#include <map>
#include <vector>

#include "backend/cpu/implicit_gemm.h"
#include "backend/cpu/winograd_transform.h"
#include "backend/cpu/winograd_weights.h"

namespace jcs::cpu {

/// A 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3): a quarter of the products, in float32 whatever the tensors'
/// type. Where the processor multiplies float32 at half the rate of bf16, that is faster than bf16's plain sums and
/// rounds less.
///
/// Patches of the input become 36 numbers a channel; for each of the 36 points one matrix product (tiles × channels by
/// channels × outputs) and back. Blocks of tiles are small enough for what lies between to stay in the cache.
class WinogradConvolution {
 public:
  /// Whether this can do it: a kernel of 3×3 and stride 1, and enough tiles and channels for products of them.
  static bool computes(const GemmConvolution& convolution);
  /// Whether this is faster than the direct sum here, too: no matrix unit for bf16, and tiles that are filled.
  static bool suits(const GemmConvolution& convolution);

  WinogradConvolution(CpuDevice& device, const KernelOptions& options, const GemmConvolution& convolution);

  int64_t packedBytes() const { return weights_.packedBytes(); }
  void pack(DType dtype, const std::byte* source, const WeightStrides& strides, std::byte* packed) const {
    weights_.pack(device_.pool(), threads_, dtype, source, strides, packed);
  }
  std::string packedForm() const { return weights_.form(); }
  std::string implementation() const { return products_.begin()->second.implementation() + ":winograd"; }
  Arithmetic arithmetic() const;

  int64_t scratchBytes() const { return lanes_ * laneBytes_ + sharedBytes_; }
  /// `bias` and `residual` may be null; `bias` is float32.
  void run(const std::byte* x, const std::byte* weights, const float* bias, const std::byte* residual, std::byte* y,
           std::byte* scratch) const;

 private:
  struct Run;   ///< the pointers of one run
  struct Lane;  ///< the buffers of one block of tiles
  struct Own;   ///< the buffers of one thread
  using Pass = WinogradWeights::Pass;
  using Matrices = WinogradWeights::Matrices;
  struct ProductKey {
    int64_t tiles, outputs, channels;
    bool adds;  ///< to the sums of channels before
    auto operator<=>(const ProductKey&) const = default;
  };

  int64_t tilesOf(int64_t block) const;
  Lane lane(std::byte* scratch, int64_t index) const;
  Own own(std::byte* scratch) const;
  void chooseBlocks();
  void makeProducts();

  void runLanes(const Run& run) const;
  void runShared(const Run& run) const;
  void transformTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin, int64_t end) const;
  const BatchedProduct& product(const Pass& pass, int64_t tiles, int64_t block) const;
  /// The product of a pass's nth point by a block of outputs.
  void multiply(const BatchedProduct& product, const Pass& pass, int64_t nth, int64_t block, const Matrices& weights,
                const Lane& lane, const Own& own) const;
  /// Products [begin, end) of `productsOf`: of all blocks of outputs for the first point, then for the next.
  void multiplyPass(const Pass& pass, const Matrices& weights, const Lane& lane, int64_t tiles, int64_t begin,
                    int64_t end, const Own& own) const;
  /// All products of a block of outputs whose weights are kept as taps.
  void multiplyBlock(int64_t block, const std::byte* weights, const Lane& lane, int64_t tiles, const Own& own) const;
  int64_t productsOf(const Pass& pass) const { return pass.points * weights_.outputBlocks(); }
  void storeTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin, int64_t end,
                  std::byte* sink) const;

  CpuDevice& device_;
  int threads_;
  GemmConvolution conv_;
  winograd::Tiling tiling_;
  WinogradWeights weights_;
  std::vector<float> zeros_;  ///< a pixel outside of the image, and no bias
  int64_t tilesPerBlock_ = 0, blocks_ = 0;
  int64_t lanes_ = 0;  ///< blocks at work at a time: one a thread, or one that all threads share
  int64_t inputTileStride_ = 0, sumsTileStride_ = 0;
  int64_t inputPointStride_ = 0, sumsPointStride_ = 0;  ///< floats from point to point
  int64_t sinkBytes_ = 0, scratchpadBytes_ = 0, ownBytes_ = 0, laneBytes_ = 0, sharedBytes_ = 0;
  bool makesOwnMatrices_ = false;  ///< each thread, of blocks of outputs that it alone multiplies
  std::map<ProductKey, BatchedProduct> products_;
};

}  // namespace jcs::cpu
