#pragma once

#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

/// y = act(x · scale + shift), scale and shift per channel, rows strided. y may lie where x lies.
template <typename T>
JCS_VECTORISED void affineRows(int64_t rows, int64_t channels, T* y, int64_t yStride, const T* x, int64_t xStride,
                               const float* scale, const float* shift, Epilogue epilogue) {
  for (int64_t row = 0; row < rows; ++row) {
    T* to = y + row * yStride;
    const T* from = x + row * xStride;
    if (epilogue.sigmoid) {
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) store(to + c, sigmoidOf(load(from + c) * scale[c] + shift[c]));
    } else {
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) {
        const float value = load(from + c) * scale[c] + shift[c];
        store(to + c, value < epilogue.low ? epilogue.low : value);
      }
    }
  }
}

}  // namespace jcs::cpu
