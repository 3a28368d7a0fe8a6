#include "backend/cpu/winograd.h"

#include <algorithm>

#include "backend/cpu/onednn.h"
#include "backend/cpu/winograd_tiles.h"

namespace jcs::cpu {

namespace {

using winograd::kOutputs;
using winograd::kPatch;
using winograd::kPoints;
using winograd::locatePixels;
using winograd::Tiling;

constexpr int64_t kBlockBytes = 1 << 20;          // about a second-level cache
constexpr int64_t kCachedWeightBytes = 16 << 20;  // what stays in the last cache from block to block
constexpr int64_t kLeastTiles = 16;

template <typename Y, typename R>
struct Results {
  Y* y;
  Y* sink;  ///< takes what lies beyond the image's edge
  const R* residual;
  const float *bias, *zeros;
};

template <typename Y, typename R>
void transformSums(const GemmConvolution& conv, const Tiling& tiling, const Results<Y, R>& results, int64_t firstTile,
                   int64_t begin, int64_t end, const winograd::Points& sums) {
  vectorised([=, &conv, &tiling]<typename L>(L) JCS_INLINE_LAMBDA {
    const Epilogue epilogue(conv.activation);
    for (int64_t i = begin; i < end; ++i) {
      const Tiling::Tile tile = tiling.at(firstTile + i);
      const int64_t image = tile.image * conv.outHeight * conv.outWidth;
      Y* pixels[kOutputs][kOutputs];
      locatePixels(results.y + image * conv.outPixelStride, conv.outHeight, conv.outWidth, conv.outPixelStride,
                   tile.row, tile.column, conv.dilation, results.sink, pixels);
      const R* residuals[kOutputs][kOutputs];
      if (results.residual)
        locatePixels(results.residual + image * conv.residualPixelStride, conv.outHeight, conv.outWidth,
                     conv.residualPixelStride, tile.row, tile.column, conv.dilation,
                     reinterpret_cast<const R*>(results.zeros), residuals);
      const float* const from = sums.data + i * sums.tileStride;
      forEachBlock<L>(conv.outChannels, [&]<typename N>(As<N>, int64_t o) JCS_INLINE_LAMBDA {
        const N bias = load<N>(results.bias + o);
        winograd::transformSquare<kPatch, kOutputs, N>(
            [&](int row, int column)
                JCS_INLINE_LAMBDA { return load<N>(from + (row * kPatch + column) * sums.pointStride + o); },
            [](const auto& line, auto& result) JCS_INLINE_LAMBDA { winograd::transformOutput(line, result); },
            [&](int row, int column, const N& value) JCS_INLINE_LAMBDA {
              N sum = value + bias;
              if (results.residual) sum = sum + load<N>(residuals[row][column] + o);
              store(pixels[row][column] + o, epilogue.sigmoid ? sigmoidOf(sum) : atLeast(sum, epilogue.low));
            });
      });
    }
  });
}

Tiling tilingOf(const GemmConvolution& c) { return {c.batch, c.outHeight, c.outWidth, c.dilation}; }

/// From tile to tile, in floats: powers of two would make tiles compete for the same few places of the cache.
int64_t tileStride(int64_t channels) { return channels % 64 == 0 ? channels + kLanes : channels; }

}  // namespace

struct WinogradConvolution::Run {
  const std::byte* x;
  const std::byte* weights;
  const float* bias;
  const std::byte* residual;
  std::byte *y, *scratch;
};

struct WinogradConvolution::Lane {
  winograd::Points points, sums;
  std::byte* rest;  ///< per thread: its own
};

struct WinogradConvolution::Own {
  std::byte *sink, *scratchpad, *matrices;
};

bool WinogradConvolution::computes(const GemmConvolution& c) {
  const bool usual = c.kernelHeight == 3 && c.kernelWidth == 3 && c.stride == 1;
  return usual && c.channels >= kLanes && c.outChannels >= kLanes && tilingOf(c).count() >= kLeastTiles;
}

bool WinogradConvolution::suits(const GemmConvolution& c) {
  if (!computes(c) || (c.dtype == DType::kBF16 && hasBf16MatrixUnit())) return false;
  // Half-filled tiles do work for nothing.
  return c.batch * c.outHeight * c.outWidth * 2 >= tilingOf(c).count() * kOutputs * kOutputs;
}

Arithmetic WinogradConvolution::arithmetic() const {
  const int64_t plain = conv_.batch * conv_.outHeight * conv_.outWidth * conv_.kernelHeight * conv_.kernelWidth;
  return {static_cast<double>(tiling_.count() * kPoints) / static_cast<double>(plain), DType::kF32};
}

WinogradConvolution::WinogradConvolution(CpuDevice& device, const KernelOptions& options,
                                         const GemmConvolution& convolution)
    : device_(device),
      threads_(options.threads),
      conv_(convolution),
      tiling_(tilingOf(conv_)),
      weights_(conv_.channels, conv_.outChannels, options.staysPacked),
      zeros_(static_cast<size_t>(std::max(conv_.channels, conv_.outChannels))) {
  chooseBlocks();
  inputTileStride_ = tileStride(conv_.channels), sumsTileStride_ = tileStride(conv_.outChannels);
  inputPointStride_ = winograd::pointStride(tilesPerBlock_, inputTileStride_);
  sumsPointStride_ = winograd::pointStride(tilesPerBlock_, sumsTileStride_);
  sinkBytes_ = alignedUp(conv_.outChannels * static_cast<int64_t>(sizeof(float)));
  makeProducts();
  makesOwnMatrices_ = weights_.areTaps() && blocks_ == 1 && weights_.outputBlocks() % threads_ == 0;
  ownBytes_ = sinkBytes_ + scratchpadBytes_ + (makesOwnMatrices_ ? weights_.blockBytes() : 0);
  sharedBytes_ = makesOwnMatrices_ ? 0 : weights_.passBytes();
  laneBytes_ = kPoints * (inputPointStride_ + sumsPointStride_) * static_cast<int64_t>(sizeof(float)) +
               ownBytes_ * (lanes_ == 1 ? threads_ : 1);
}

void WinogradConvolution::chooseBlocks() {
  const int64_t tiles = tiling_.count();
  const int64_t tileBytes = kPoints * (conv_.channels + conv_.outChannels) * static_cast<int64_t>(sizeof(float));
  // Fewer tiles than this, and reading the weights, or making them, would take longer than the products.
  const int64_t least = weights_.packedBytes() <= kCachedWeightBytes && !weights_.areTaps() ? 32 : 128;
  const int64_t fitting = std::max(kBlockBytes / tileBytes, least);
  if (tiles <= fitting) {
    blocks_ = lanes_ = 1;
  } else {
    blocks_ = roundUp(divideUp(tiles, fitting), threads_);
    lanes_ = threads_;
  }
  tilesPerBlock_ = divideUp(tiles, blocks_);
  blocks_ = divideUp(tiles, tilesPerBlock_);
}

int64_t WinogradConvolution::tilesOf(int64_t block) const {
  return std::min(tilesPerBlock_, tiling_.count() - block * tilesPerBlock_);
}

void WinogradConvolution::makeProducts() {
  for (const int64_t tiles : {tilesOf(0), tilesOf(blocks_ - 1)})
    for (const int64_t outputs : {weights_.outputsOf(0), weights_.outputsOf(weights_.outputBlocks() - 1)})
      for (const Pass& pass : weights_.passes()) {
        const bool adds = pass.firstChannel > 0;
        BatchedProduct& made = products_[{tiles, outputs, pass.channels, adds}];
        if (made) continue;
        made = BatchedProduct({.rows = tiles,
                               .columns = outputs,
                               .depth = pass.channels,
                               .lda = inputTileStride_,
                               .ldb = weights_.outputsPerBlock(),
                               .ldc = sumsTileStride_,
                               .adds = adds});
        scratchpadBytes_ = std::max(scratchpadBytes_, alignedUp(made.scratchBytes()));
      }
}

WinogradConvolution::Lane WinogradConvolution::lane(std::byte* scratch, int64_t index) const {
  float* const points = reinterpret_cast<float*>(scratch + index * laneBytes_);
  float* const sums = points + kPoints * inputPointStride_;
  return {{points, inputPointStride_, inputTileStride_},
          {sums, sumsPointStride_, sumsTileStride_},
          reinterpret_cast<std::byte*>(sums + kPoints * sumsPointStride_)};
}

WinogradConvolution::Own WinogradConvolution::own(std::byte* scratch) const {
  std::byte* const scratchpad = scratch + sinkBytes_;
  return {scratch, scratchpad, scratchpad + scratchpadBytes_};
}

void WinogradConvolution::transformTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin,
                                         int64_t end) const {
  withElement(conv_.dtype, [&]<typename T>(T*) {
    winograd::transformTiles(conv_, tiling_, reinterpret_cast<const T*>(run.x), zeros_.data(), firstTile, begin, end,
                             lane.points);
  });
}

const BatchedProduct& WinogradConvolution::product(const Pass& pass, int64_t tiles, int64_t block) const {
  return products_.at({tiles, weights_.outputsOf(block), pass.channels, pass.firstChannel > 0});
}

void WinogradConvolution::multiply(const BatchedProduct& product, const Pass& pass, int64_t nth, int64_t block,
                                   const Matrices& weights, const Lane& lane, const Own& own) const {
  static const ProductOffsets kWhole{{0, 0}};
  const int64_t point = pass.firstPoint + nth;
  const float* const points = lane.points.data + point * lane.points.pointStride + pass.firstChannel;
  const float* const matrix = weights.data + nth * weights.pointStride + block * weights.blockStride;
  float* const sums = lane.sums.data + point * lane.sums.pointStride + block * weights_.outputsPerBlock();
  product.compute(reinterpret_cast<const std::byte*>(points), reinterpret_cast<const std::byte*>(matrix), kWhole,
                  reinterpret_cast<std::byte*>(sums), own.scratchpad);
}

void WinogradConvolution::multiplyPass(const Pass& pass, const Matrices& weights, const Lane& lane, int64_t tiles,
                                       int64_t begin, int64_t end, const Own& own) const {
  const BatchedProduct* configured = nullptr;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t nth = i / weights_.outputBlocks(), block = i % weights_.outputBlocks();
    const BatchedProduct& next = product(pass, tiles, block);
    if (configured != &next) next.configure();
    configured = &next;
    multiply(next, pass, nth, block, weights, lane, own);
  }
  BatchedProduct::release();
}

void WinogradConvolution::multiplyBlock(int64_t block, const std::byte* weights, const Lane& lane, int64_t tiles,
                                        const Own& own) const {
  for (const Pass& pass : weights_.passes()) {
    const Matrices matrices = weights_.matricesOf(pass, block, weights, own.matrices);
    const BatchedProduct& next = product(pass, tiles, block);
    next.configure();
    for (int64_t nth = 0; nth < pass.points; ++nth) multiply(next, pass, nth, block, matrices, lane, own);
  }
  BatchedProduct::release();
}

void WinogradConvolution::storeTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin, int64_t end,
                                     std::byte* sink) const {
  withElement(conv_.outDtype, [&]<typename Y>(Y*) {
    withElement(conv_.residualDtype, [&]<typename R>(R*) {
      const Results<Y, R> results{reinterpret_cast<Y*>(run.y), reinterpret_cast<Y*>(sink),
                                  reinterpret_cast<const R*>(run.residual), run.bias, zeros_.data()};
      transformSums(conv_, tiling_, results, firstTile, begin, end, lane.sums);
    });
  });
}

/// Each thread has a block of tiles. Where taps are kept, they wait for each other at the matrices of each pass.
void WinogradConvolution::runLanes(const Run& run) const {
  ThreadPool& pool = device_.pool();
  const std::vector<Pass>& passes = weights_.passes();
  const int64_t together = weights_.areTaps() ? lanes_ : blocks_;
  for (int64_t first = 0; first < blocks_; first += together)
    for (size_t p = 0; p < passes.size(); ++p) {
      const Pass& pass = passes[p];
      const Matrices matrices = weights_.matrices(pool, threads_, pass, run.weights, run.scratch + lanes_ * laneBytes_);
      pool.parallelFor(threads_, std::min(together, blocks_ - first), 1, [&](int64_t begin, int64_t end, int thread) {
        for (int64_t i = begin; i < end; ++i) {
          const Lane mine = lane(run.scratch, weights_.areTaps() ? i : thread);  // the same one in all passes
          const Own rest = own(mine.rest);
          const int64_t firstTile = (first + i) * tilesPerBlock_, tiles = tilesOf(first + i);
          if (p == 0) transformTiles(run, mine, firstTile, 0, tiles);
          multiplyPass(pass, matrices, mine, tiles, 0, productsOf(pass), rest);
          if (p + 1 == passes.size()) storeTiles(run, mine, firstTile, 0, tiles, rest.sink);
        }
      });
    }
}

/// There is one block of tiles, and the threads share each of its phases.
void WinogradConvolution::runShared(const Run& run) const {
  ThreadPool& pool = device_.pool();
  const Lane shared = lane(run.scratch, 0);
  const auto rest = [&](int thread) { return own(shared.rest + thread * ownBytes_); };
  const int64_t tiles = tilesOf(0);
  pool.parallelFor(threads_, tiles, 1,
                   [&](int64_t begin, int64_t end, int) { transformTiles(run, shared, 0, begin, end); });
  if (makesOwnMatrices_)
    pool.parallelFor(threads_, weights_.outputBlocks(), 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t block = begin; block < end; ++block) multiplyBlock(block, run.weights, shared, tiles, rest(thread));
    });
  else
    for (const Pass& pass : weights_.passes()) {
      const Matrices matrices = weights_.matrices(pool, threads_, pass, run.weights, run.scratch + laneBytes_);
      pool.parallelFor(threads_, productsOf(pass), 1, [&](int64_t begin, int64_t end, int thread) {
        multiplyPass(pass, matrices, shared, tiles, begin, end, rest(thread));
      });
    }
  pool.parallelFor(threads_, tiles, 1, [&](int64_t begin, int64_t end, int thread) {
    storeTiles(run, shared, 0, begin, end, rest(thread).sink);
  });
}

void WinogradConvolution::run(const std::byte* x, const std::byte* weights, const float* bias,
                              const std::byte* residual, std::byte* y, std::byte* scratch) const {
  const Run pointers{x, weights, bias ? bias : zeros_.data(), residual, y, scratch};
  blocks_ > 1 ? runLanes(pointers) : runShared(pointers);
}

}  // namespace jcs::cpu
