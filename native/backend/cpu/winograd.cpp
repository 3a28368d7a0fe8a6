#include "backend/cpu/winograd.h"

#include <algorithm>

#include "backend/cpu/onednn.h"
#include "backend/cpu/winograd_tiles.h"

namespace jcs::cpu {

namespace {

using dnnl::ukernel::brgemm;
using winograd::kOutputs;
using winograd::kPatch;
using winograd::kPoints;
using winograd::locatePixels;
using winograd::Tiling;

constexpr int64_t kMaxOutputs = 64;               // four AVX-512 registers of sums a tile
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
JCS_VECTORISED void transformSums(const GemmConvolution& conv, const Tiling& tiling, const Results<Y, R>& results,
                                  int64_t firstTile, int64_t begin, int64_t end, const float* points, int64_t stride) {
  const Epilogue epilogue(conv.activation);
  for (int64_t i = begin; i < end; ++i) {
    const Tiling::Tile tile = tiling.at(firstTile + i);
    const int64_t image = tile.image * conv.outHeight * conv.outWidth;
    Y* pixels[kOutputs][kOutputs];
    locatePixels(results.y + image * conv.outPixelStride, conv.outHeight, conv.outWidth, conv.outPixelStride, tile.row,
                 tile.column, conv.dilation, results.sink, pixels);
    const R* residuals[kOutputs][kOutputs];
    if (results.residual)
      locatePixels(results.residual + image * conv.residualPixelStride, conv.outHeight, conv.outWidth,
                   conv.residualPixelStride, tile.row, tile.column, conv.dilation,
                   reinterpret_cast<const R*>(results.zeros), residuals);
    const float* const from = points + i * conv.outChannels;
    forEachBlock(conv.outChannels, [&]<typename N>(As<N>, int64_t o) JCS_INLINE_LAMBDA {
      const N bias = load<N>(results.bias + o);
      winograd::transformSquare<kPatch, kOutputs, N>(
          [&](int row, int column) JCS_INLINE_LAMBDA { return load<N>(from + (row * kPatch + column) * stride + o); },
          [](const auto& line, auto& result) JCS_INLINE_LAMBDA { winograd::transformOutput(line, result); },
          [&](int row, int column, const N& value) JCS_INLINE_LAMBDA {
            N sum = value + bias;
            if (results.residual) sum = sum + load<N>(residuals[row][column] + o);
            store(pixels[row][column] + o, epilogue.sigmoid ? sigmoidOf(sum) : atLeast(sum, epilogue.low));
          });
    });
  }
}

/// Weights of outputs [0, outputs), O×I×3×3 as the strides say, to [point][channel][outputsPadded].
template <typename S>
JCS_VECTORISED void transformWeightBlock(const S* source, const WeightStrides& at, int64_t outputs,
                                         int64_t outputsPadded, int64_t begin, int64_t end, int64_t channels,
                                         float* packed) {
  for (int64_t i = begin; i < end; ++i)
    for (int64_t o = 0; o < outputsPadded; o += kLanes) {
      float taps[3][3][kLanes] = {};
      const int64_t count = std::min(kLanes, outputs - o);
      for (int64_t lane = 0; lane < count; ++lane) {
        const S* from = source + (o + lane) * at.output + i * at.input;
        for (int r = 0; r < 3; ++r)
          for (int s = 0; s < 3; ++s) taps[r][s][lane] = load(from + r * at.row + s * at.column);
      }
      winograd::transformSquare<3, kPatch, Floats>(
          [&](int row, int column) JCS_INLINE_LAMBDA { return load<Floats>(taps[row][column]); },
          [](const auto& line, auto& result) JCS_INLINE_LAMBDA { winograd::transformWeights(line, result); },
          [&](int row, int column, const Floats& value) JCS_INLINE_LAMBDA {
            store(packed + ((row * kPatch + column) * channels + i) * outputsPadded + o, value);
          });
    }
}

}  // namespace

struct WinogradConvolution::Run {
  const std::byte* x;
  const float *weights, *bias;
  const std::byte* residual;
  std::byte* y;
};

struct WinogradConvolution::Lane {
  float *points, *sums;
  std::byte* rest;  ///< per thread: scratchpad and sink
};

bool WinogradConvolution::suits(const GemmConvolution& c) {
  const Tiling tiling{c.batch, c.outHeight, c.outWidth, c.dilation};
  const bool usual = c.kernelHeight == 3 && c.kernelWidth == 3 && c.stride == 1;
  if (!usual || c.channels < kLanes || c.outChannels < kLanes || tiling.count() < kLeastTiles) return false;
  if (c.dtype == DType::kBF16 && hasBf16MatrixUnit()) return false;
  // Half-filled tiles do work for nothing.
  const int64_t pixels = c.batch * c.outHeight * c.outWidth;
  return pixels * 2 >= tiling.count() * kOutputs * kOutputs && ImplicitGemm::available();
}

WinogradConvolution::WinogradConvolution(CpuDevice& device, int threads, const GemmConvolution& convolution)
    : device_(device),
      threads_(threads),
      conv_(convolution),
      tiling_{conv_.batch, conv_.outHeight, conv_.outWidth, conv_.dilation},
      zeros_(static_cast<size_t>(std::max(conv_.channels, conv_.outChannels))) {
  outputBlocks_ = divideUp(conv_.outChannels, kMaxOutputs);
  outputsPerBlock_ = roundUp(divideUp(conv_.outChannels, outputBlocks_), kLanes);
  outputBlocks_ = divideUp(conv_.outChannels, outputsPerBlock_);
  blockWeights_ = kPoints * conv_.channels * outputsPerBlock_;

  const int64_t tiles = tiling_.count();
  const int64_t tileBytes = kPoints * (conv_.channels + conv_.outChannels) * static_cast<int64_t>(sizeof(float));
  // Fewer tiles than this, and reading the weights would take longer than the products.
  const int64_t least = packedBytes() <= kCachedWeightBytes ? 32 : 128;
  const int64_t fitting = std::max(kBlockBytes / tileBytes, least);
  if (tiles <= fitting) {
    blocks_ = lanes_ = 1;
  } else {
    blocks_ = roundUp(divideUp(tiles, fitting), threads_);
    lanes_ = threads_;
  }
  tilesPerBlock_ = divideUp(tiles, blocks_);
  blocks_ = divideUp(tiles, tilesPerBlock_);
  inputPointStride_ = winograd::pointStride(tilesPerBlock_, conv_.channels);
  sumsPointStride_ = winograd::pointStride(tilesPerBlock_, conv_.outChannels);
  sinkBytes_ = alignedUp(conv_.outChannels * static_cast<int64_t>(sizeof(float)));
  onednnCall("brgemm", [&] { makeKernels(); });
  const int64_t perThread = sinkBytes_ + scratchpadBytes_;
  laneBytes_ = kPoints * (inputPointStride_ + sumsPointStride_) * static_cast<int64_t>(sizeof(float)) +
               perThread * (lanes_ == 1 ? threads_ : 1);
}

int64_t WinogradConvolution::tilesOf(int64_t block) const {
  return std::min(tilesPerBlock_, tiling_.count() - block * tilesPerBlock_);
}

int64_t WinogradConvolution::outputsOf(int64_t outputBlock) const {
  return std::min(outputsPerBlock_, conv_.outChannels - outputBlock * outputsPerBlock_);
}

void WinogradConvolution::makeKernels() {
  for (const int64_t tiles : {tilesOf(0), tilesOf(blocks_ - 1)})
    for (const int64_t outputs : {outputsOf(0), outputsOf(outputBlocks_ - 1)}) {
      brgemm& kernel = kernels_[{tiles, outputs}];
      if (kernel) continue;
      kernel = makeBrgemm(tiles, outputs, conv_.channels, 1, conv_.channels, outputsPerBlock_, conv_.outChannels,
                          DType::kF32);
      invariant(static_cast<bool>(kernel), "oneDNN has no ukernel for a product");
      kernel.generate();
      scratchpadBytes_ = std::max(scratchpadBytes_, alignedUp(static_cast<int64_t>(kernel.get_scratchpad_size())));
    }
}

void WinogradConvolution::pack(DType dtype, const std::byte* source, const WeightStrides& strides,
                               std::byte* packed) const {
  const auto total = outputBlocks_ * conv_.channels;
  device_.pool().parallelFor(threads_, total, 8, [&](int64_t begin, int64_t end, int) {
    withElement(dtype, [&]<typename S>(S*) {
      for (int64_t at = begin; at < end;) {
        const int64_t block = at / conv_.channels, channel = at % conv_.channels;
        const int64_t stop = std::min(conv_.channels, channel + end - at);
        transformWeightBlock(
            reinterpret_cast<const S*>(source) + strides.origin + block * outputsPerBlock_ * strides.output, strides,
            outputsOf(block), outputsPerBlock_, channel, stop, conv_.channels,
            reinterpret_cast<float*>(packed) + block * blockWeights_);
        at += stop - channel;
      }
    });
  });
}

WinogradConvolution::Lane WinogradConvolution::lane(std::byte* scratch, int64_t index) const {
  float* const points = reinterpret_cast<float*>(scratch + index * laneBytes_);
  float* const sums = points + kPoints * inputPointStride_;
  return {points, sums, reinterpret_cast<std::byte*>(sums + kPoints * sumsPointStride_)};
}

void WinogradConvolution::transformTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin,
                                         int64_t end) const {
  withElement(conv_.dtype, [&]<typename T>(T*) {
    winograd::transformTiles(conv_, tiling_, reinterpret_cast<const T*>(run.x), zeros_.data(), firstTile, begin, end,
                             {lane.points, inputPointStride_, conv_.channels});
  });
}

/// Points [beginPoint, endPoint) of a block.
void WinogradConvolution::multiply(const Run& run, const Lane& lane, int64_t tiles, int64_t beginPoint,
                                   int64_t endPoint, std::byte* scratchpad) const {
  const std::vector<std::pair<dnnl::memory::dim, dnnl::memory::dim>> whole{{0, 0}};
  const brgemm* configured = nullptr;
  for (int64_t point = beginPoint; point < endPoint; ++point)
    for (int64_t block = 0; block < outputBlocks_; ++block) {
      const brgemm& product = kernels_.at({tiles, outputsOf(block)});
      if (configured != &product) product.set_hw_context();
      configured = &product;
      product.execute(lane.points + point * inputPointStride_,
                      run.weights + block * blockWeights_ + point * conv_.channels * outputsPerBlock_, whole,
                      lane.sums + point * sumsPointStride_ + block * outputsPerBlock_, scratchpad);
    }
  brgemm::release_hw_context();
}

void WinogradConvolution::storeTiles(const Run& run, const Lane& lane, int64_t firstTile, int64_t begin, int64_t end,
                                     std::byte* sink) const {
  withElement(conv_.outDtype, [&]<typename Y>(Y*) {
    withElement(conv_.residualDtype, [&]<typename R>(R*) {
      const Results<Y, R> results{reinterpret_cast<Y*>(run.y), reinterpret_cast<Y*>(sink),
                                  reinterpret_cast<const R*>(run.residual), run.bias, zeros_.data()};
      transformSums(conv_, tiling_, results, firstTile, begin, end, lane.sums, sumsPointStride_);
    });
  });
}

void WinogradConvolution::run(const std::byte* x, const std::byte* weights, const float* bias,
                              const std::byte* residual, std::byte* y, std::byte* scratch) const {
  const Run pointers{x, reinterpret_cast<const float*>(weights), bias ? bias : zeros_.data(), residual, y};
  onednnCall("brgemm::execute", [&] {
    if (lanes_ > 1) {
      device_.pool().parallelFor(threads_, blocks_, 1, [&](int64_t begin, int64_t end, int thread) {
        const Lane own = lane(scratch, thread);
        for (int64_t block = begin; block < end; ++block) {
          const int64_t first = block * tilesPerBlock_, tiles = tilesOf(block);
          transformTiles(pointers, own, first, 0, tiles);
          multiply(pointers, own, tiles, 0, kPoints, own.rest + sinkBytes_);
          storeTiles(pointers, own, first, 0, tiles, own.rest);
        }
      });
      return;
    }
    // One block: the threads share each of its phases.
    const Lane shared = lane(scratch, 0);
    const auto rest = [&](int thread) { return shared.rest + thread * (sinkBytes_ + scratchpadBytes_); };
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t first = block * tilesPerBlock_, tiles = tilesOf(block);
      device_.pool().parallelFor(threads_, tiles, 1, [&](int64_t begin, int64_t end, int) {
        transformTiles(pointers, shared, first, begin, end);
      });
      device_.pool().parallelFor(threads_, kPoints, 1, [&](int64_t begin, int64_t end, int thread) {
        multiply(pointers, shared, tiles, begin, end, rest(thread) + sinkBytes_);
      });
      device_.pool().parallelFor(threads_, tiles, 1, [&](int64_t begin, int64_t end, int thread) {
        storeTiles(pointers, shared, first, begin, end, rest(thread));
      });
    }
  });
}

}  // namespace jcs::cpu
