#include "ops/pool.h"

#include <algorithm>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

/// A pooling from x to y, both with strided rows. Every loop below makes one row (H axis) of its result.
struct Geometry {
  PoolAttributes pool;
  int64_t height, width, channels;  ///< of x
  int64_t outHeight, outWidth;      ///< of y
  int64_t xStride, yStride;         ///< elements from pixel to pixel
};

/// The part of window `p` that lies inside [0, extent).
struct Window {
  int64_t begin, end;
};
JCS_INLINE Window windowOf(int64_t p, const PoolAttributes& pool, int64_t extent) {
  const int64_t start = p * pool.stride - pool.padding;
  return {std::max<int64_t>(start, 0), std::min(start + pool.kernel, extent)};
}

/// The windows that contain position `h`.
JCS_INLINE Window windowsOver(int64_t h, const PoolAttributes& pool, int64_t outExtent) {
  const int64_t first = h + pool.padding - pool.kernel + 1;
  return {first <= 0 ? 0 : (first + pool.stride - 1) / pool.stride,
          std::min((h + pool.padding) / pool.stride + 1, outExtent)};
}

/// What average pooling divides by: the pixels inside the image, or inside the padded image when padding counts (a
/// window that ceilMode lets hang out further does not count that part).
JCS_INLINE float divisorOf(int64_t p, int64_t q, const Geometry& g) {
  const auto extent = [&](int64_t i, int64_t size) __attribute__((always_inline)) {
    const int64_t start = i * g.pool.stride - g.pool.padding;
    if (g.pool.countIncludePad) return std::min(start + g.pool.kernel, size + g.pool.padding) - start;
    return std::min(start + g.pool.kernel, size) - std::max<int64_t>(start, 0);
  };
  return static_cast<float>(extent(p, g.height) * extent(q, g.width));
}

template <typename T>
JCS_VECTORISED void maxPoolRow(const Geometry& g, int64_t p, const T* x, T* y) {
  const Window rows = windowOf(p, g.pool, g.height);
  for (int64_t q = 0; q < g.outWidth; ++q) {
    const Window columns = windowOf(q, g.pool, g.width);
    T* __restrict to = y + q * g.yStride;
    const T* first = x + (rows.begin * g.width + columns.begin) * g.xStride;
    for (int64_t c = 0; c < g.channels; ++c) to[c] = first[c];
    for (int64_t h = rows.begin; h < rows.end; ++h)
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        const T* __restrict from = x + (h * g.width + w) * g.xStride;
        // A NaN wins: it is not less than or equal to the maximum.
        for (int64_t c = 0; c < g.channels; ++c) {
          const float value = load(from + c), maximum = load(to + c);
          store(to + c, value <= maximum || maximum != maximum ? maximum : value);
        }
      }
  }
}

/// One row of dx. For every window over it, finds the first maximum again and adds dy where that lies in this row.
/// `sums` has width · channels floats, `best` and `where` channels each.
template <typename T, typename X>
JCS_VECTORISED void maxPoolGradientRow(const Geometry& g, int64_t dxStride, int64_t h, const T* dy, const X* x, X* dx,
                                       float* sums, float* best, float* where) {
  std::fill_n(sums, g.width * g.channels, 0.0f);
  const Window windows = windowsOver(h, g.pool, g.outHeight);
  for (int64_t p = windows.begin; p < windows.end; ++p) {
    const Window rows = windowOf(p, g.pool, g.height);
    for (int64_t q = 0; q < g.outWidth; ++q) {
      const Window columns = windowOf(q, g.pool, g.width);
      for (int64_t c = 0; c < g.channels; ++c) best[c] = -std::numeric_limits<float>::infinity();
      for (int64_t c = 0; c < g.channels; ++c) where[c] = 0;
      float position = 0;
      for (int64_t i = rows.begin; i < rows.end; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j, ++position) {
          const X* __restrict from = x + (i * g.width + j) * g.xStride;
          float* __restrict maximum = best;
          float* __restrict at = where;
          for (int64_t c = 0; c < g.channels; ++c) {
            const float value = load(from + c);
            const bool better = !(value <= maximum[c] || maximum[c] != maximum[c]);
            maximum[c] = better ? value : maximum[c];
            at[c] = better ? position : at[c];
          }
        }
      const T* __restrict gradient = dy + (p * g.outWidth + q) * g.yStride;
      float inRow = static_cast<float>((h - rows.begin) * (columns.end - columns.begin));
      for (int64_t j = columns.begin; j < columns.end; ++j, ++inRow) {
        float* __restrict sum = sums + j * g.channels;
        for (int64_t c = 0; c < g.channels; ++c) sum[c] += where[c] == inRow ? load(gradient + c) : 0.0f;
      }
    }
  }
  for (int64_t w = 0; w < g.width; ++w)
    for (int64_t c = 0; c < g.channels; ++c) store(dx + w * dxStride + c, sums[w * g.channels + c]);
}

template <typename T>
JCS_VECTORISED void averagePoolRow(const Geometry& g, int64_t p, const T* x, T* y, float* sum) {
  const Window rows = windowOf(p, g.pool, g.height);
  for (int64_t q = 0; q < g.outWidth; ++q) {
    const Window columns = windowOf(q, g.pool, g.width);
    float* __restrict total = sum;
    for (int64_t c = 0; c < g.channels; ++c) total[c] = 0;
    for (int64_t h = rows.begin; h < rows.end; ++h)
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        const T* __restrict from = x + (h * g.width + w) * g.xStride;
        for (int64_t c = 0; c < g.channels; ++c) total[c] += load(from + c);
      }
    const float scale = 1.0f / divisorOf(p, q, g);
    for (int64_t c = 0; c < g.channels; ++c) store(y + q * g.yStride + c, total[c] * scale);
  }
}

template <typename T>
JCS_VECTORISED void averagePoolGradientRow(const Geometry& g, int64_t h, const T* dy, T* dx, float* sum) {
  const Window rows = windowsOver(h, g.pool, g.outHeight);
  for (int64_t w = 0; w < g.width; ++w) {
    const Window columns = windowsOver(w, g.pool, g.outWidth);
    float* __restrict total = sum;
    for (int64_t c = 0; c < g.channels; ++c) total[c] = 0;
    for (int64_t p = rows.begin; p < rows.end; ++p)
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const T* __restrict from = dy + (p * g.outWidth + q) * g.yStride;
        const float scale = 1.0f / divisorOf(p, q, g);
        for (int64_t c = 0; c < g.channels; ++c) total[c] += scale * load(from + c);
      }
    for (int64_t c = 0; c < g.channels; ++c) store(dx + w * g.xStride + c, total[c]);
  }
}

enum class Kind { kMax, kMaxGradient, kAverage, kAverageGradient };

class PoolKernel : public Kernel {
 public:
  PoolKernel(const Prepare& p, Kind kind, const PoolAttributes& pool) : pool_(p.device.pool()), threads_(p.threads) {
    kind_ = kind;
    const bool gradient = kind == Kind::kMaxGradient || kind == Kind::kAverageGradient;
    // y is what is pooled to, whichever of x and y is the result.
    const Operand& x = gradient ? p.outputs[0] : p.inputs[0];
    const Operand& y = gradient ? p.inputs[0] : p.outputs[0];
    const Shape &xs = x.type.shape, &ys = y.type.shape;
    geometry_ = {pool, xs[1], xs[2], xs[3], ys[1], ys[2], x.rowStride, y.rowStride};
    batch_ = xs[0];
    dtype_ = p.outputs[0].type.dtype;
    dyDtype_ = p.inputs[0].type.dtype;
    if (kind == Kind::kMaxGradient) {
      source_ = geometry_;
      source_.xStride = p.inputs[1].rowStride;
    }
  }

  int64_t scratchBytes() const override { return threads_ * scratchFloats() * 4; }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const bool gradient = kind_ == Kind::kMaxGradient || kind_ == Kind::kAverageGradient;
    const int64_t resultRows = gradient ? geometry_.height : geometry_.outHeight;
    const int64_t work = std::max<int64_t>(1, geometry_.outWidth * geometry_.channels * geometry_.pool.kernel);
    withElement(dtype_, [&]<typename T>(T*) {
      pool_.parallelFor(threads_, batch_ * resultRows, 1 + 8192 / work, [&](int64_t begin, int64_t end, int thread) {
        float* own = reinterpret_cast<float*>(scratch) + thread * scratchFloats();
        for (int64_t i = begin; i < end; ++i)
          row<T>(i / resultRows, i % resultRows, in, reinterpret_cast<T*>(out[0]), own);
      });
    });
  }

 private:
  int64_t scratchFloats() const {
    const int64_t channels = (geometry_.channels + 15) / 16 * 16;
    return kind_ == Kind::kMaxGradient ? (geometry_.width + 2) * channels : channels;
  }

  /// Row `r` of image `n` of the result.
  template <typename T>
  void row(int64_t n, int64_t r, std::span<const std::byte* const> in, T* out, float* own) {
    const Geometry& g = geometry_;
    const int64_t xImage = n * g.height * g.width * g.xStride, yImage = n * g.outHeight * g.outWidth * g.yStride;
    T* const xRow = out + xImage + r * g.width * g.xStride;
    T* const yRow = out + yImage + r * g.outWidth * g.yStride;
    const T* const from = reinterpret_cast<const T*>(in[0]);
    switch (kind_) {
      case Kind::kMax: return maxPoolRow(g, r, from + xImage, yRow);
      case Kind::kAverage: return averagePoolRow(g, r, from + xImage, yRow, own);
      case Kind::kAverageGradient: return averagePoolGradientRow(g, r, from + yImage, xRow, own);
      case Kind::kMaxGradient: return maxGradientRow(n, r, in, out, own);
    }
  }

  template <typename X>
  void maxGradientRow(int64_t n, int64_t r, std::span<const std::byte* const> in, X* dx, float* own) {
    const int64_t channels = (geometry_.channels + 15) / 16 * 16;
    const X* x = reinterpret_cast<const X*>(in[1]) + n * source_.height * source_.width * source_.xStride;
    X* row = dx + (n * geometry_.height + r) * geometry_.width * geometry_.xStride;
    withElement(dyDtype_, [&]<typename T>(T*) {
      const T* dy = reinterpret_cast<const T*>(in[0]) + n * source_.outHeight * source_.outWidth * source_.yStride;
      maxPoolGradientRow(source_, geometry_.xStride, r, dy, x, row, own + 2 * channels, own, own + channels);
    });
  }

  ThreadPool& pool_;
  int threads_;
  Kind kind_;
  Geometry geometry_{}, source_{};
  int64_t batch_ = 0;
  DType dtype_, dyDtype_;
};

bool anyOperand(const Op&, bool, int) { return true; }

}  // namespace

void registerPool(Registry& registry) {
  const auto add = [&]<typename OpType>(const char* name, Kind kind, OpType*) {
    registry.add(
        name, [kind](const Prepare& p) { return std::make_unique<PoolKernel>(p, kind, p.as<OpType>().pool); },
        anyOperand);
  };
  add("max_pool2d", Kind::kMax, static_cast<MaxPool2d*>(nullptr));
  add("max_pool2d_gradient", Kind::kMaxGradient, static_cast<MaxPool2dGradient*>(nullptr));
  add("average_pool2d", Kind::kAverage, static_cast<AveragePool2d*>(nullptr));
  add("average_pool2d_gradient", Kind::kAverageGradient, static_cast<AveragePool2dGradient*>(nullptr));
}

}  // namespace jcs::cpu
