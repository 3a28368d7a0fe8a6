#pragma once

#include "backend/cpu/implicit_gemm.h"
#include "backend/cpu/winograd_transform.h"

/// Patches of images, transformed: what Winograd's convolution and its weight gradient share.
namespace jcs::cpu::winograd {

/// Floats from point to point: whole pages and a cache line, lest the 36 lines of a tile compete for the same few
/// places of the first-level cache.
inline int64_t pointStride(int64_t tiles, int64_t tileStride) { return roundUp(tiles * tileStride, 1024) + 16; }

/// [point][tile][channel] float32.
struct Points {
  float* data;
  int64_t pointStride, tileStride;  ///< floats
};

/// Bᵀ x B of tiles [begin, end), counted from `firstTile`. `zeros` is a pixel outside of the image.
template <typename T>
void transformTiles(const GemmConvolution& conv, const Tiling& tiling, const T* x, const float* zeros,
                    int64_t firstTile, int64_t begin, int64_t end, Points points);

/// A dy Aᵀ of the same tiles. What is left of a tile after its channels, up to whole vectors, becomes zero.
template <typename T>
void transformGradientTiles(const GemmConvolution& conv, const Tiling& tiling, const T* dy, const float* zeros,
                            int64_t firstTile, int64_t begin, int64_t end, Points points);

}  // namespace jcs::cpu::winograd
