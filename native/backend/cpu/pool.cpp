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

struct Window {
  int64_t begin, end;
};

/// What of [0, extent) the `i`-th of `bins` touches. Turned round, which bins of [0, bins) a pixel touches.
JCS_INLINE Window binOf(int64_t i, int64_t bins, int64_t extent) {
  return {i * extent / bins, ((i + 1) * extent - 1) / bins + 1};
}

/// The part of window `p` that lies inside [0, extent).
JCS_INLINE Window windowOf(int64_t p, const PoolAttributes& pool, int64_t extent) {
  if (pool.bins > 0) return binOf(p, pool.bins, extent);
  const int64_t start = p * pool.stride - pool.padding;
  return {std::max<int64_t>(start, 0), std::min(start + pool.kernel, extent)};
}

/// The windows that contain position `h`.
JCS_INLINE Window windowsOver(int64_t h, const PoolAttributes& pool, int64_t extent, int64_t outExtent) {
  if (pool.bins > 0) return binOf(h, extent, pool.bins);
  const int64_t first = h + pool.padding - pool.kernel + 1;
  return {first <= 0 ? 0 : (first + pool.stride - 1) / pool.stride,
          std::min((h + pool.padding) / pool.stride + 1, outExtent)};
}

/// 1 / pixels that window `p` counts along one axis: those inside the image, or inside the padded image when padding
/// counts (a window that ceilMode lets hang out further does not count that part).
float shareOf(int64_t p, const PoolAttributes& pool, int64_t extent) {
  if (pool.bins > 0) {
    const Window window = windowOf(p, pool, extent);
    return 1.0f / static_cast<float>(window.end - window.begin);
  }
  const int64_t start = p * pool.stride - pool.padding;
  const int64_t end = std::min(start + pool.kernel, extent + (pool.countIncludePad ? pool.padding : 0));
  return 1.0f / static_cast<float>(end - (pool.countIncludePad ? start : std::max<int64_t>(start, 0)));
}

/// Windows ahead of the one that is read whose pixels are asked for. A channel slice of a wider tensor is some lines of
/// every few, which processors do not fetch ahead by themselves: three times the time on a Zen 4.
constexpr int64_t kWindowsAhead = 8;

template <typename T>
JCS_INLINE void fetchAhead(const Geometry& g, const Window& rows, int64_t q, const T* x) {
  if (g.xStride == g.channels) return;
  constexpr int64_t kLine = 64 / sizeof(T);
  const int64_t first = std::max<int64_t>((q + kWindowsAhead) * g.pool.stride - g.pool.padding, 0);
  const int64_t end = std::min(first + g.pool.stride, g.width);
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t w = first; w < end; ++w)
      for (int64_t c = 0; c < g.channels; c += kLine) __builtin_prefetch(x + (h * g.width + w) * g.xStride + c);
}

/// Calls body(As<Number>(), rows, columns, q, c) for blocks of channels of every window of row p, whose pixels are
/// fetched ahead.
template <typename L, typename T, typename Body>
JCS_INLINE void forEachWindow(const Geometry& g, int64_t p, const T* x, const Body& body) {
  const Window rows = windowOf(p, g.pool, g.height);
  for (int64_t q = 0; q < g.outWidth; ++q) {
    const Window columns = windowOf(q, g.pool, g.width);
    fetchAhead(g, rows, q, x);
    forEachBlock<L>(g.channels,
                    [&]<typename N>(As<N> as, int64_t c) JCS_INLINE_LAMBDA { body(as, rows, columns, q, c); });
  }
}

template <typename T>
void maxPoolRow(const Geometry& g, int64_t p, const T* x, T* y) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    forEachWindow<L>(g, p, x,
                     [&]<typename N>(As<N>, Window rows, Window columns, int64_t q, int64_t c) JCS_INLINE_LAMBDA {
                       N maximum = load<N>(x + (rows.begin * g.width + columns.begin) * g.xStride + c);
                       N nan{};  // 0, or a NaN of the window: kept apart, for GCC makes scalar code of two conditions
                                 // in one selection
                       for (int64_t h = rows.begin; h < rows.end; ++h)
                         for (int64_t w = columns.begin; w < columns.end; ++w) {
                           const N value = load<N>(x + (h * g.width + w) * g.xStride + c);
                           maximum = value < maximum ? maximum : value;
                           nan = value == value ? nan : value;
                         }
                       store(y + q * g.yStride + c, N(maximum + nan));
                     });
  });
}

/// Where in window (p, q) position (h, w) lies, in row-major order.
JCS_INLINE float placeInWindow(const PoolAttributes& pool, int64_t p, int64_t q, int64_t h, int64_t w) {
  const int64_t row = h - (p * pool.stride - pool.padding), column = w - (q * pool.stride - pool.padding);
  return static_cast<float>(row * pool.kernel + column);
}

/// The place of the first maximum of each window of row p.
template <typename X, typename Place>
void findMaximaRow(const Geometry& g, int64_t p, const X* x, Place* places) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    forEachWindow<L>(g, p, x,
                     [&]<typename N>(As<N>, Window rows, Window columns, int64_t q, int64_t c) JCS_INLINE_LAMBDA {
                       N maximum = load<N>(x + (rows.begin * g.width + columns.begin) * g.xStride + c);
                       N place = N{} + placeInWindow(g.pool, p, q, rows.begin, columns.begin);
                       for (int64_t h = rows.begin; h < rows.end; ++h)
                         for (int64_t w = columns.begin; w < columns.end; ++w) {
                           const N value = load<N>(x + (h * g.width + w) * g.xStride + c);
                           const N here = N{} + placeInWindow(g.pool, p, q, h, w);
                           place = value > maximum ? here : place;
                           maximum = value > maximum ? value : maximum;
                         }
                       store(places + q * g.channels + c, place);
                     });
  });
}

/// One row of dx: a pixel gets the gradient of every window whose maximum it is.
template <typename T, typename X, typename Place>
void maxPoolGradientRow(const Geometry& g, int64_t dxStride, int64_t h, const T* dy, const Place* places, X* dx) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    const Window rows = windowsOver(h, g.pool, g.height, g.outHeight);
    for (int64_t w = 0; w < g.width; ++w) {
      const Window columns = windowsOver(w, g.pool, g.width, g.outWidth);
      forEachBlock<L>(g.channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA {
        N sum{};
        for (int64_t p = rows.begin; p < rows.end; ++p)
          for (int64_t q = columns.begin; q < columns.end; ++q) {
            const int64_t window = p * g.outWidth + q;
            const N here = N{} + placeInWindow(g.pool, p, q, h, w);
            sum += keepWhere(load<N>(places + window * g.channels + c) == here, load<N>(dy + window * g.yStride + c));
          }
        store(dx + w * dxStride + c, sum);
      });
    }
  });
}

template <typename T>
void averagePoolRow(const Geometry& g, int64_t p, const float* rowShares, const float* columnShares, const T* x, T* y) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    const Window rows = windowOf(p, g.pool, g.height);
    for (int64_t q = 0; q < g.outWidth; ++q) {
      const Window columns = windowOf(q, g.pool, g.width);
      const float share = rowShares[p] * columnShares[q];
      forEachBlock<L>(g.channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA {
        N sum{};
        for (int64_t h = rows.begin; h < rows.end; ++h)
          for (int64_t w = columns.begin; w < columns.end; ++w) sum += load<N>(x + (h * g.width + w) * g.xStride + c);
        store(y + q * g.yStride + c, sum * share);
      });
    }
  });
}

template <typename T>
void averagePoolGradientRow(const Geometry& g, int64_t h, const float* rowShares, const float* columnShares,
                            const T* dy, T* dx) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    const Window rows = windowsOver(h, g.pool, g.height, g.outHeight);
    for (int64_t w = 0; w < g.width; ++w) {
      const Window columns = windowsOver(w, g.pool, g.width, g.outWidth);
      forEachBlock<L>(g.channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA {
        N sum{};
        for (int64_t p = rows.begin; p < rows.end; ++p)
          for (int64_t q = columns.begin; q < columns.end; ++q)
            sum += rowShares[p] * columnShares[q] * load<N>(dy + (p * g.outWidth + q) * g.yStride + c);
        store(dx + w * g.xStride + c, sum);
      });
    }
  });
}

enum class Kind { kMax, kMaxGradient, kAverage, kAverageGradient };

class PoolKernel : public Kernel {
 public:
  PoolKernel(const Prepare& p, Kind kind, const PoolAttributes& pool)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        kind_(kind),
        dtype_(p.outputs[0].type.dtype),
        dyDtype_(p.inputs[0].type.dtype) {
    // y is what is pooled to, whichever of x and y is the result.
    const Operand& x = isGradient() ? p.outputs[0] : p.inputs[0];
    const Operand& y = isGradient() ? p.inputs[0] : p.outputs[0];
    const Shape &xs = x.type.shape, &ys = y.type.shape;
    batch_ = xs[0];
    geometry_ = {pool, xs[1], xs[2], xs[3], ys[1], ys[2], x.rowStride, y.rowStride};
    if (kind == Kind::kMaxGradient) {
      dxStride_ = x.rowStride;
      geometry_.xStride = p.inputs[1].rowStride;
    }
    for (int64_t i = 0; i < ys[1]; ++i) rowShares_.push_back(shareOf(i, pool, xs[1]));
    for (int64_t i = 0; i < ys[2]; ++i) columnShares_.push_back(shareOf(i, pool, xs[2]));
  }

  /// The places of the maxima, of max pooling's gradient.
  int64_t scratchBytes() const override {
    if (kind_ != Kind::kMaxGradient) return 0;
    return batch_ * geometry_.outHeight * geometry_.outWidth * geometry_.channels * sizeOf(placeDtype());
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    if (kind_ == Kind::kMaxGradient) return runMaxGradient(in[0], in[1], out[0], scratch);
    const int64_t resultRows = isGradient() ? geometry_.height : geometry_.outHeight;
    const int64_t work = std::max<int64_t>(1, geometry_.outWidth * geometry_.channels * geometry_.pool.kernel);
    withElement(dtype_, [&]<typename T>(T*) {
      pool_.parallelFor(threads_, batch_ * resultRows, 1 + 8192 / work, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) row<T>(i / resultRows, i % resultRows, in, out[0]);
      });
    });
  }

 private:
  bool isGradient() const { return kind_ == Kind::kMaxGradient || kind_ == Kind::kAverageGradient; }

  /// bf16 holds whole numbers up to 256.
  DType placeDtype() const { return geometry_.pool.kernel <= 16 ? DType::kBF16 : DType::kF32; }

  void runMaxGradient(const std::byte* dy, const std::byte* x, std::byte* dx, std::byte* scratch) {
    const Geometry& g = geometry_;
    const auto eachRow = [&](int64_t rows, const auto& body) {
      pool_.parallelFor(threads_, batch_ * rows, 1 + 4096 / (g.width * g.channels),
                        [&](int64_t begin, int64_t end, int) {
                          for (int64_t i = begin; i < end; ++i) body(i / rows, i % rows);
                        });
    };
    const auto placesOf = [&]<typename Place>(Place*, int64_t n) {
      return reinterpret_cast<Place*>(scratch) + n * g.outHeight * g.outWidth * g.channels;
    };
    withElement(placeDtype(), [&]<typename Place>(Place* named) {
      withElement(dtype_, [&]<typename T>(T*) {
        eachRow(g.outHeight, [&](int64_t n, int64_t p) {
          findMaximaRow(g, p, reinterpret_cast<const T*>(x) + n * g.height * g.width * g.xStride,
                        placesOf(named, n) + p * g.outWidth * g.channels);
        });
        withElement(dyDtype_, [&]<typename G>(G*) {
          eachRow(g.height, [&](int64_t n, int64_t h) {
            maxPoolGradientRow(g, dxStride_, h,
                               reinterpret_cast<const G*>(dy) + n * g.outHeight * g.outWidth * g.yStride,
                               static_cast<const Place*>(placesOf(named, n)),
                               reinterpret_cast<T*>(dx) + (n * g.height + h) * g.width * dxStride_);
          });
        });
      });
    });
  }

  /// Row `r` of image `n` of the result.
  template <typename T>
  void row(int64_t n, int64_t r, std::span<const std::byte* const> in, std::byte* out) {
    const Geometry& g = geometry_;
    const int64_t xImage = n * g.height * g.width * g.xStride, yImage = n * g.outHeight * g.outWidth * g.yStride;
    const T* from = reinterpret_cast<const T*>(in[0]);
    T* to = reinterpret_cast<T*>(out);
    switch (kind_) {
      case Kind::kMax: return maxPoolRow(g, r, from + xImage, to + yImage + r * g.outWidth * g.yStride);
      case Kind::kAverage:
        return averagePoolRow(g, r, rowShares_.data(), columnShares_.data(), from + xImage,
                              to + yImage + r * g.outWidth * g.yStride);
      case Kind::kAverageGradient:
        return averagePoolGradientRow(g, r, rowShares_.data(), columnShares_.data(), from + yImage,
                                      to + xImage + r * g.width * g.xStride);
      case Kind::kMaxGradient: return;  // runMaxGradient
    }
  }

  ThreadPool& pool_;
  int threads_;
  Kind kind_;
  DType dtype_, dyDtype_;
  Geometry geometry_{};
  int64_t batch_ = 0, dxStride_ = 0;
  std::vector<float> rowShares_, columnShares_;  ///< of average pooling
};

bool anyOperand(const Op&, bool, int) { return true; }

template <typename Pool>
void addPool(Registry& registry, Kind kind) {
  registry.add<Pool>([kind](const Prepare& p) { return std::make_unique<PoolKernel>(p, kind, p.as<Pool>().pool); },
                     anyOperand);
}

}  // namespace

void registerPool(Registry& registry) {
  addPool<MaxPool2d>(registry, Kind::kMax);
  addPool<MaxPool2dGradient>(registry, Kind::kMaxGradient);
  addPool<AveragePool2d>(registry, Kind::kAverage);
  addPool<AveragePool2dGradient>(registry, Kind::kAverageGradient);
}

}  // namespace jcs::cpu
