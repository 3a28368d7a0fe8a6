#include "backend/cpu/winograd_tiles.h"

namespace jcs::cpu::winograd {

template <typename T>
void transformTiles(const GemmConvolution& conv, const Tiling& tiling, const T* x, const float* zeros,
                    int64_t firstTile, int64_t begin, int64_t end, Points points) {
  vectorised([=, &conv, &tiling]<typename L>(L) JCS_INLINE_LAMBDA {
    for (int64_t i = begin; i < end; ++i) {
      const Tiling::Tile tile = tiling.at(firstTile + i);
      const T* pixels[kPatch][kPatch];
      locatePixels(x + tile.image * conv.height * conv.width * conv.pixelStride, conv.height, conv.width,
                   conv.pixelStride, tile.row - conv.padTop, tile.column - conv.padLeft, conv.dilation,
                   reinterpret_cast<const T*>(zeros), pixels);
      float* const to = points.data + i * points.tileStride;
      forEachBlock<L>(conv.channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA {
        transformSquare<kPatch, kPatch, N>(
            [&](int row, int column) JCS_INLINE_LAMBDA { return load<N>(pixels[row][column] + c); },
            [](const auto& line, auto& result) JCS_INLINE_LAMBDA { transformInput(line, result); },
            [&](int row, int column, const N& value)
                JCS_INLINE_LAMBDA { store(to + (row * kPatch + column) * points.pointStride + c, value); });
      });
    }
  });
}

template <typename T>
void transformGradientTiles(const GemmConvolution& conv, const Tiling& tiling, const T* dy, const float* zeros,
                            int64_t firstTile, int64_t begin, int64_t end, Points points) {
  vectorised([=, &conv, &tiling]<typename L>(L) JCS_INLINE_LAMBDA {
    for (int64_t i = begin; i < end; ++i) {
      const Tiling::Tile tile = tiling.at(firstTile + i);
      const T* pixels[kOutputs][kOutputs];
      locatePixels(dy + tile.image * conv.outHeight * conv.outWidth * conv.outPixelStride, conv.outHeight,
                   conv.outWidth, conv.outPixelStride, tile.row, tile.column, conv.dilation,
                   reinterpret_cast<const T*>(zeros), pixels);
      float* const to = points.data + i * points.tileStride;
      forEachBlock<L>(conv.outChannels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA {
        transformSquare<kOutputs, kPatch, N>(
            [&](int row, int column) JCS_INLINE_LAMBDA { return load<N>(pixels[row][column] + c); },
            [](const auto& line, auto& result) JCS_INLINE_LAMBDA { transformOutputGradient(line, result); },
            [&](int row, int column, const N& value)
                JCS_INLINE_LAMBDA { store(to + (row * kPatch + column) * points.pointStride + c, value); });
      });
      for (int64_t c = conv.outChannels; c % kLanes != 0; ++c)
        for (int point = 0; point < kPoints; ++point) to[point * points.pointStride + c] = 0;
    }
  });
}

template void transformTiles(const GemmConvolution&, const Tiling&, const float*, const float*, int64_t, int64_t,
                             int64_t, Points);
template void transformTiles(const GemmConvolution&, const Tiling&, const BFloat16*, const float*, int64_t, int64_t,
                             int64_t, Points);
template void transformGradientTiles(const GemmConvolution&, const Tiling&, const float*, const float*, int64_t,
                                     int64_t, int64_t, Points);
template void transformGradientTiles(const GemmConvolution&, const Tiling&, const BFloat16*, const float*, int64_t,
                                     int64_t, int64_t, Points);

}  // namespace jcs::cpu::winograd
