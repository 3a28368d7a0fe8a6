#include "backend/cuda/kernels/pool.h"

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

namespace {

// A thread makes V channels of one pixel of the result. Gradients gather, so that nothing is added atomically; that of
// the maximum first notes where the maxima stand.

struct PixelLoop {
  int64_t groups;  ///< of V channels, of all pixels of the result
  Divider perPixel, width, height;
};

/// A pixel of the result and the first of a thread's channels.
struct Place {
  int64_t n, y, x, pixel, channel;
};

template <int V>
__device__ inline Place placeOf(const PixelLoop& loop, int64_t i) {
  Place place;
  place.channel = loop.perPixel.split(i) * V;
  place.pixel = i;
  place.x = loop.width.split(i);
  place.y = loop.height.split(i);
  place.n = i;
  return place;
}

struct Window {
  int begin, end;
};

/// What of [0, extent) the `i`-th of `bins` touches. Turned round, which bins of [0, bins) a pixel touches.
__device__ inline Window binOf(int64_t i, int64_t bins, int64_t extent) {
  return {static_cast<int>(i * extent / bins), static_cast<int>(((i + 1) * extent - 1) / bins + 1)};
}

/// The part of window `p` that lies inside [0, extent).
__device__ inline Window windowOf(const PoolGeometry& g, int64_t p, int64_t extent) {
  if (g.bins > 0) return binOf(p, g.bins, extent);
  const int start = static_cast<int>(p * g.stride - g.padding), end = start + static_cast<int>(g.kernel);
  return {start < 0 ? 0 : start, end < extent ? end : static_cast<int>(extent)};
}

/// The windows that contain position `h`.
__device__ inline Window windowsOver(const PoolGeometry& g, int64_t h, int64_t extent, int64_t outExtent) {
  if (g.bins > 0) return binOf(h, extent, g.bins);
  const int stride = static_cast<int>(g.stride), last = static_cast<int>(h + g.padding);
  const int first = last - static_cast<int>(g.kernel) + 1, end = last / stride + 1;
  return {first <= 0 ? 0 : (first + stride - 1) / stride, end < outExtent ? end : static_cast<int>(outExtent)};
}

/// Calls f(h, w, values) for the pixels of the window that makes `at`, in reading order.
template <int V, typename T, typename F>
__device__ inline void overWindow(const PoolGeometry& g, const Place& at, const T* x, F&& f) {
  const Window rows = windowOf(g, at.y, g.height), columns = windowOf(g, at.x, g.width);
  for (int h = rows.begin; h < rows.end; ++h)
    for (int w = columns.begin; w < columns.end; ++w)
      f(h, w, load<V>(x + ((at.n * g.height + h) * g.width + w) * g.xStride + at.channel));
}

/// Pixels that window `p` counts along one axis: those inside the image, or inside the padded image when padding
/// counts; what ceilMode lets hang out further never does.
__device__ inline float countOf(const PoolGeometry& g, int64_t p, int64_t extent) {
  if (g.bins > 0) {
    const Window window = windowOf(g, p, extent);
    return static_cast<float>(window.end - window.begin);
  }
  const int64_t start = p * g.stride - g.padding;
  const int64_t limit = extent + (g.countIncludePad ? g.padding : 0);
  const int64_t end = start + g.kernel < limit ? start + g.kernel : limit;
  return static_cast<float>(end - (g.countIncludePad || start > 0 ? start : 0));
}

/// Whether a later value takes a maximum's place; a NaN does.
__device__ inline bool exceeds(float value, float maximum) { return value > maximum || value != value; }

template <int V, typename T>
__global__ void maxKernel(PixelLoop loop, PoolGeometry g, const T* x, T* y) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    const Place at = placeOf<V>(loop, i);
    Lanes<V> maximum = filled<V>(-INFINITY);
    overWindow<V>(g, at, x, [&](int, int, const Lanes<V>& value) {
#pragma unroll
      for (int v = 0; v < V; ++v)
        if (exceeds(value.at[v], maximum.at[v])) maximum.at[v] = value.at[v];
    });
    store(y + at.pixel * g.yStride + at.channel, maximum);
  }
}

/// Where in a window its maximum stands: the first of equal ones, the last NaN.
using WindowPlace = uint16_t;

__device__ inline int64_t placeIn(const PoolGeometry& g, int64_t p, int64_t q, int64_t h, int64_t w) {
  return (h - p * g.stride + g.padding) * g.kernel + w - q * g.stride + g.padding;
}

template <int V, typename X>
__global__ void maxPlacesKernel(PixelLoop loop, PoolGeometry g, const X* x, WindowPlace* places) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    const Place at = placeOf<V>(loop, i);
    Lanes<V> maximum = filled<V>(0.0f);
    Packed<WindowPlace, V> place{};
    bool isFirst = true;
    overWindow<V>(g, at, x, [&](int h, int w, const Lanes<V>& value) {
      const auto here = static_cast<WindowPlace>(placeIn(g, at.y, at.x, h, w));
#pragma unroll
      for (int v = 0; v < V; ++v)
        if (isFirst || exceeds(value.at[v], maximum.at[v])) maximum.at[v] = value.at[v], place.at[v] = here;
      isFirst = false;
    });
    *reinterpret_cast<Packed<WindowPlace, V>*>(places + at.pixel * g.channels + at.channel) = place;
  }
}

/// A pixel gets the gradient of every window of which it is the maximum.
template <int V, typename G, typename X>
__global__ void maxGradientKernel(PixelLoop loop, PoolGeometry g, const G* dy, const WindowPlace* places, X* dx,
                                  int64_t dxStride) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    const Place at = placeOf<V>(loop, i);
    const Window rows = windowsOver(g, at.y, g.height, g.outHeight),
                 columns = windowsOver(g, at.x, g.width, g.outWidth);
    Lanes<V> sum = filled<V>(0.0f);
    for (int p = rows.begin; p < rows.end; ++p)
      for (int q = columns.begin; q < columns.end; ++q) {
        const int64_t window = (at.n * g.outHeight + p) * g.outWidth + q;
        const auto place = *reinterpret_cast<const Packed<WindowPlace, V>*>(places + window * g.channels + at.channel);
        const Lanes<V> gradient = load<V>(dy + window * g.yStride + at.channel);
        const auto own = static_cast<WindowPlace>(placeIn(g, p, q, at.y, at.x));
#pragma unroll
        for (int v = 0; v < V; ++v) sum.at[v] += place.at[v] == own ? gradient.at[v] : 0.0f;
      }
    store(dx + at.pixel * dxStride + at.channel, sum);
  }
}

template <int V, typename T>
__global__ void averageKernel(PixelLoop loop, PoolGeometry g, const T* x, T* y) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    const Place at = placeOf<V>(loop, i);
    Lanes<V> sum = filled<V>(0.0f);
    overWindow<V>(g, at, x, [&](int, int, const Lanes<V>& value) {
#pragma unroll
      for (int v = 0; v < V; ++v) sum.at[v] += value.at[v];
    });
    const float share = 1.0f / (countOf(g, at.y, g.height) * countOf(g, at.x, g.width));
#pragma unroll
    for (int v = 0; v < V; ++v) sum.at[v] *= share;
    store(y + at.pixel * g.yStride + at.channel, sum);
  }
}

template <int V, typename T>
__global__ void averageGradientKernel(PixelLoop loop, PoolGeometry g, const T* dy, T* dx) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    const Place at = placeOf<V>(loop, i);
    const Window rows = windowsOver(g, at.y, g.height, g.outHeight),
                 columns = windowsOver(g, at.x, g.width, g.outWidth);
    Lanes<V> sum = filled<V>(0.0f);
    for (int p = rows.begin; p < rows.end; ++p)
      for (int q = columns.begin; q < columns.end; ++q) {
        const float share = 1.0f / (countOf(g, p, g.height) * countOf(g, q, g.width));
        const Lanes<V> value = load<V>(dy + ((at.n * g.outHeight + p) * g.outWidth + q) * g.yStride + at.channel);
#pragma unroll
        for (int v = 0; v < V; ++v) sum.at[v] += share * value.at[v];
      }
    store(dx + at.pixel * g.xStride + at.channel, sum);
  }
}

PixelLoop loopOver(const PoolGeometry& g, int lanes, int64_t height, int64_t width) {
  const int64_t perPixel = g.channels / lanes, groups = g.batch * height * width * perPixel;
  return {groups, Divider(std::max<int64_t>(1, perPixel), groups), Divider(std::max<int64_t>(1, width), groups),
          Divider(std::max<int64_t>(1, height), groups)};
}

}  // namespace

void maxPool(const Launcher& launcher, const PoolGeometry& g, DType dtype, const void* x, void* y) {
  const int width = laneCount(g.channels, {{x, g.xStride, sizeOf(dtype)}, {y, g.yStride, sizeOf(dtype)}});
  const PixelLoop loop = loopOver(g, width, g.outHeight, g.outWidth);
  withElement(dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(maxKernel<decltype(lanes)::value, T>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop, g,
             static_cast<const T*>(x), static_cast<T*>(y));
    });
  });
}

int64_t maxPoolGradientScratchBytes(const PoolGeometry& g) {
  invariant(g.kernel <= 256, "a pooling window has more pixels than its places have numbers");
  return g.batch * g.outHeight * g.outWidth * g.channels * static_cast<int64_t>(sizeof(WindowPlace));
}

void maxPoolGradient(const Launcher& launcher, const PoolGeometry& g, DType dyDtype, DType xDtype, const void* dy,
                     const void* x, int64_t dxStride, void* dx, void* scratch) {
  const int64_t bytes = sizeOf(xDtype);
  const Memory perWindow{scratch, g.channels, sizeof(WindowPlace)};
  const int width = laneCount(
      g.channels, {{x, g.xStride, bytes}, {dx, dxStride, bytes}, {dy, g.yStride, sizeOf(dyDtype)}, perWindow});
  const PixelLoop windows = loopOver(g, width, g.outHeight, g.outWidth), pixels = loopOver(g, width, g.height, g.width);
  auto* const places = static_cast<WindowPlace*>(scratch);
  withElement(xDtype, [&]<typename X>(X*) {
    withLanes(width, [&](auto lanes) {
      launch(maxPlacesKernel<lanes.value, X>, launcher.blocksFor(windows.groups), kBlock, 0, launcher, windows, g,
             static_cast<const X*>(x), places);
      withElement(dyDtype, [&]<typename G>(G*) {
        launch(maxGradientKernel<lanes.value, G, X>, launcher.blocksFor(pixels.groups), kBlock, 0, launcher, pixels, g,
               static_cast<const G*>(dy), places, static_cast<X*>(dx), dxStride);
      });
    });
  });
}

void averagePool(const Launcher& launcher, const PoolGeometry& g, DType dtype, const void* x, void* y) {
  const int width = laneCount(g.channels, {{x, g.xStride, sizeOf(dtype)}, {y, g.yStride, sizeOf(dtype)}});
  const PixelLoop loop = loopOver(g, width, g.outHeight, g.outWidth);
  withElement(dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(averageKernel<decltype(lanes)::value, T>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop, g,
             static_cast<const T*>(x), static_cast<T*>(y));
    });
  });
}

void averagePoolGradient(const Launcher& launcher, const PoolGeometry& g, DType dtype, const void* dy, void* dx) {
  const int width = laneCount(g.channels, {{dx, g.xStride, sizeOf(dtype)}, {dy, g.yStride, sizeOf(dtype)}});
  const PixelLoop loop = loopOver(g, width, g.height, g.width);
  withElement(dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(averageGradientKernel<decltype(lanes)::value, T>, launcher.blocksFor(loop.groups), kBlock, 0, launcher,
             loop, g, static_cast<const T*>(dy), static_cast<T*>(dx));
    });
  });
}

}  // namespace jcs::cuda
