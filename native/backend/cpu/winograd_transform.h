#pragma once

#include "backend/cpu/vectorise.h"

/// The matrices of Winograd's F(4×4, 3×3): four by four results of a 3×3 convolution from a 6×6 patch with 36 products
/// instead of 144 (Lavin & Gray, 2016). Along one axis y = Aᵀ((G g) ∘ (Bᵀ d)); both axes one after the other.
///
/// The matrices follow from six points at which polynomials are evaluated. Ours are 0, ±√½, ±√2 and ∞: the usual
/// 0, ±1, ±2, ∞ lose two and a half times as many digits, and points whose squares are each other's inverses leave the
/// fewest constants.
namespace jcs::cpu::winograd {

inline constexpr int kPatch = 6, kOutputs = 4, kPoints = kPatch * kPatch;

inline constexpr float kA = 0.70710678118654752f;  // √½
inline constexpr float kB = 1.41421356237309505f;  // √2

/// Bᵀ d.
template <typename N>
JCS_INLINE void transformInput(const N (&d)[kPatch], N (&t)[kPatch]) {
  const N evenA = d[4] - 2.0f * d[2], oddA = kA * (d[3] - 2.0f * d[1]);
  const N evenB = d[4] - 0.5f * d[2], oddB = kB * (d[3] - 0.5f * d[1]);
  t[0] = d[0] - 2.5f * d[2] + d[4];
  t[1] = evenA + oddA;
  t[2] = evenA - oddA;
  t[3] = evenB + oddB;
  t[4] = evenB - oddB;
  t[5] = d[1] - 2.5f * d[3] + d[5];
}

/// Aᵀ m.
template <typename N>
JCS_INLINE void transformOutput(const N (&m)[kPatch], N (&y)[kOutputs]) {
  const N sumA = m[1] + m[2], differenceA = kA * (m[1] - m[2]);
  const N sumB = m[3] + m[4], differenceB = kB * (m[3] - m[4]);
  y[0] = m[0] + sumA + sumB;
  y[1] = differenceA + differenceB;
  y[2] = 0.5f * sumA + 2.0f * sumB;
  y[3] = 0.5f * differenceA + 2.0f * differenceB + m[5];
}

/// A y, the transpose of the above: what the gradient of the weights needs of the results' gradient.
template <typename N>
JCS_INLINE void transformOutputGradient(const N (&y)[kOutputs], N (&m)[kPatch]) {
  const N evenA = y[0] + 0.5f * y[2], oddA = kA * (y[1] + 0.5f * y[3]);
  const N evenB = y[0] + 2.0f * y[2], oddB = kB * (y[1] + 2.0f * y[3]);
  m[0] = y[0];
  m[1] = evenA + oddA;
  m[2] = evenA - oddA;
  m[3] = evenB + oddB;
  m[4] = evenB - oddB;
  m[5] = y[3];
}

inline constexpr float kScaleA = -2.0f / 3, kScaleB = 1.0f / 6;  // 1 / ∏ of a point's distances to the others

/// G g.
template <typename N>
JCS_INLINE void transformWeights(const N (&g)[3], N (&u)[kPatch]) {
  const N evenA = kScaleA * (g[0] + 0.5f * g[2]), oddA = (kScaleA * kA) * g[1];
  const N evenB = kScaleB * (g[0] + 2.0f * g[2]), oddB = (kScaleB * kB) * g[1];
  u[0] = g[0];
  u[1] = evenA + oddA;
  u[2] = evenA - oddA;
  u[3] = evenB + oddB;
  u[4] = evenB - oddB;
  u[5] = g[2];
}

/// Gᵀ u, its transpose.
template <typename N>
JCS_INLINE void transformWeightGradient(const N (&u)[kPatch], N (&g)[3]) {
  const N sumA = kScaleA * (u[1] + u[2]), sumB = kScaleB * (u[3] + u[4]);
  g[0] = u[0] + sumA + sumB;
  g[1] = (kScaleA * kA) * (u[1] - u[2]) + (kScaleB * kB) * (u[3] - u[4]);
  g[2] = 0.5f * sumA + 2.0f * sumB + u[5];
}

/// Applies the transform of one axis to both axes of a square, element by element in and out: read(row, column),
/// transform(line, result), write(row, column, value).
template <int kFrom, int kTo, typename N, typename Read, typename Transform, typename Write>
JCS_INLINE void transformSquare(const Read& read, const Transform& transform, const Write& write) {
  N half[kFrom][kTo];  // [column][transformed row]
  for (int column = 0; column < kFrom; ++column) {
    N line[kFrom];
    for (int row = 0; row < kFrom; ++row) line[row] = read(row, column);
    transform(line, half[column]);
  }
  for (int row = 0; row < kTo; ++row) {
    N line[kFrom], result[kTo];
    for (int column = 0; column < kFrom; ++column) line[column] = half[column][row];
    transform(line, result);
    for (int column = 0; column < kTo; ++column) write(row, column, result[column]);
  }
}

/// The patches of a convolution: four by four results each, in every one of dilation × dilation interleaved images.
struct Tiling {
  int64_t batch = 0, outHeight = 0, outWidth = 0, dilation = 1;

  int64_t rows() const { return extent(outHeight); }
  int64_t columns() const { return extent(outWidth); }
  int64_t count() const { return batch * dilation * dilation * rows() * columns(); }

  struct Tile {
    int64_t image, row, column;  ///< of the first result; the others are `dilation` apart
  };
  Tile at(int64_t index) const {
    Tile tile{};
    const int64_t column = index % columns();
    index /= columns();
    const int64_t row = index % rows();
    index /= rows();
    tile.column = index % dilation + column * kOutputs * dilation;
    index /= dilation;
    tile.row = index % dilation + row * kOutputs * dilation;
    tile.image = index / dilation;
    return tile;
  }

 private:
  int64_t extent(int64_t length) const {
    const int64_t ofOneImage = (length + dilation - 1) / dilation;
    return (ofOneImage + kOutputs - 1) / kOutputs;
  }
};

/// Addresses of a square of `kSide`² pixels, `dilation` apart, of an image; what lies outside of it is at `outside`.
template <int kSide, typename T>
JCS_INLINE void locatePixels(T* image, int64_t height, int64_t width, int64_t pixelStride, int64_t row, int64_t column,
                             int64_t dilation, T* outside, T* (&pixels)[kSide][kSide]) {
  const int64_t reach = (kSide - 1) * dilation;
  const bool inside = row >= 0 && column >= 0 && row + reach < height && column + reach < width;
  for (int i = 0; i < kSide; ++i)
    for (int j = 0; j < kSide; ++j) {
      const int64_t r = row + i * dilation, c = column + j * dilation;
      const bool here = inside || (r >= 0 && r < height && c >= 0 && c < width);
      pixels[i][j] = here ? image + (r * width + c) * pixelStride : outside;
    }
}

}  // namespace jcs::cpu::winograd
