#pragma once

#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

/// What is added to each row before its activation.
template <typename T>
struct ResidualRows {
  const T* data;
  int64_t stride;

  template <typename N>
  JCS_INLINE N at(int64_t row, int64_t c) const {
    return load<N>(data + row * stride + c);
  }
};
struct NoResidual {
  template <typename N>
  JCS_INLINE N at(int64_t, int64_t) const {
    return N{};
  }
};

/// y = act(x · scale + shift + residual), scale and shift per channel, rows strided. y may lie where x lies.
template <typename T, typename Residual = NoResidual>
void affineRows(int64_t rows, int64_t channels, T* y, int64_t yStride, const T* x, int64_t xStride, const float* scale,
                const float* shift, Epilogue epilogue, const Residual& residual = {}) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    for (int64_t row = 0; row < rows; ++row) {
      T* const to = y + row * yStride;
      const T* const from = x + row * xStride;
      const auto value = [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA -> N {
        return load<N>(from + c) * load<N>(scale + c) + load<N>(shift + c) + residual.template at<N>(row, c);
      };
      if (epilogue.sigmoid) {
        mapLine<L>(to, channels,
                   [&]<typename N>(As<N> as, int64_t c) JCS_INLINE_LAMBDA -> N { return sigmoidOf(value(as, c)); });
      } else {
        mapLine<L>(to, channels, [&]<typename N>(As<N> as, int64_t c) JCS_INLINE_LAMBDA -> N {
          return atLeast(value(as, c), epilogue.low);
        });
      }
    }
  });
}

}  // namespace jcs::cpu
