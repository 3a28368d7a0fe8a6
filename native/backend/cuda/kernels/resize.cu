#include "backend/cuda/kernels/resize.h"

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

namespace {

/// Where positions of the resized axis lie in the image: at numerator / denominator, exactly, so that fractions are
/// rounded once. (i + ½)·in/out − ½ is ((2i + 1)·in − out) / 2·out; with corners aligned, i·(in − 1) / (out − 1).
struct Axis {
  int64_t extent, resized;  ///< of the image, of the result
  int64_t factor, offset;   ///< numerator: factor · i + offset, at least 0
  Divider denominator;
};

/// Result i is low weighted 1 − fraction, and the element after it weighted fraction.
struct Tap {
  int64_t low, high;
  float fraction;
};

__device__ inline Tap tapOf(const Axis& axis, int64_t i) {
  int64_t quotient = axis.factor * i + axis.offset;
  if (quotient < 0) quotient = 0;
  const int64_t remainder = axis.denominator.split(quotient), last = axis.extent - 1;
  if (quotient >= last) return {last, last, 0.0f};
  return {quotient, quotient + 1, static_cast<float>(remainder) / static_cast<float>(axis.denominator.divisor())};
}

/// The weight of position `h` of the image in result `i`.
__device__ inline float weightOf(const Axis& axis, int64_t h, int64_t i) {
  const Tap tap = tapOf(axis, i);
  return (tap.low == h ? 1.0f - tap.fraction : 0.0f) + (tap.high == h ? tap.fraction : 0.0f);
}

/// The results that read position `h`, and perhaps a neighbour that does not: those whose exact place is within
/// (h − 1, h + 1).
struct Readers {
  int64_t begin, end;
};
__device__ inline Readers readersOf(const Axis& axis, int64_t h) {
  if (axis.factor == 0) return {0, axis.resized};
  const int64_t d = axis.denominator.divisor();
  const int64_t low = (h - 1) * d - axis.offset, high = (h + 1) * d - axis.offset;
  const int64_t begin = h == 0 || low < 0 ? 0 : low / axis.factor;
  const int64_t end = h >= axis.extent - 1 ? axis.resized : high / axis.factor + 1;
  return {begin, end < axis.resized ? end : axis.resized};
}

/// Groups of lanes of all pixels of the result.
struct PixelLoop {
  int64_t groups;
  Divider perPixel, width, height;
};

template <int V, typename T>
__global__ void resizeKernel(PixelLoop loop, Axis vertical, Axis horizontal, const T* x, int64_t xStride, T* y,
                             int64_t yStride) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    int64_t rest = i;
    const int64_t channel = loop.perPixel.split(rest) * V, pixel = rest;
    const Tap across = tapOf(horizontal, loop.width.split(rest)), down = tapOf(vertical, loop.height.split(rest));
    const T* image = x + rest * vertical.extent * horizontal.extent * xStride + channel;
    const T *top = image + down.low * horizontal.extent * xStride,
            *bottom = image + down.high * horizontal.extent * xStride;
    const Lanes<V> a = load<V>(top + across.low * xStride), b = load<V>(top + across.high * xStride);
    const Lanes<V> c = load<V>(bottom + across.low * xStride), d = load<V>(bottom + across.high * xStride);
    Lanes<V> result;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float left = a.at[v] * (1.0f - down.fraction) + c.at[v] * down.fraction;
      const float right = b.at[v] * (1.0f - down.fraction) + d.at[v] * down.fraction;
      result.at[v] = left * (1.0f - across.fraction) + right * across.fraction;
    }
    store(y + pixel * yStride + channel, result);
  }
}

template <int V, typename T>
__global__ void gradientKernel(PixelLoop loop, Axis vertical, Axis horizontal, const T* dy, int64_t dyStride, T* dx,
                               int64_t dxStride) {
  for (int64_t i = globalThread(); i < loop.groups; i += globalThreads()) {
    int64_t rest = i;
    const int64_t channel = loop.perPixel.split(rest) * V, pixel = rest;
    const int64_t w = loop.width.split(rest), h = loop.height.split(rest);
    const Readers rows = readersOf(vertical, h), columns = readersOf(horizontal, w);
    Lanes<V> sum = filled<V>(0.0f);
    for (int64_t p = rows.begin; p < rows.end; ++p) {
      const float down = weightOf(vertical, h, p);
      const T* row = dy + (rest * vertical.resized + p) * horizontal.resized * dyStride + channel;
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const float weight = down * weightOf(horizontal, w, q);
        const Lanes<V> gradient = load<V>(row + q * dyStride);
#pragma unroll
        for (int v = 0; v < V; ++v) sum.at[v] += weight * gradient.at[v];
      }
    }
    store(dx + pixel * dxStride + channel, sum);
  }
}

/// One axis of the gradient: to[h, …] = Σ weight · from[i, …]. Both are `outer` × the axis × `inner` pixels of
/// channels. The vertical axis comes first, where neighbouring threads read neighbouring memory.
template <int V, typename To, typename From>
__global__ void axisGradientKernel(int64_t groups, Divider perPixel, Divider inner, Divider extent, Axis axis,
                                   const From* from, int64_t fromStride, To* to, int64_t toStride) {
  for (int64_t i = globalThread(); i < groups; i += globalThreads()) {
    int64_t rest = i;
    const int64_t channel = perPixel.split(rest) * V, pixel = rest;
    const int64_t place = inner.split(rest), h = extent.split(rest);
    const Readers readers = readersOf(axis, h);
    Lanes<V> sum = filled<V>(0.0f);
    for (int64_t p = readers.begin; p < readers.end; ++p) {
      const float weight = weightOf(axis, h, p);
      const Lanes<V> gradient =
          load<V>(from + ((rest * axis.resized + p) * inner.divisor() + place) * fromStride + channel);
#pragma unroll
      for (int v = 0; v < V; ++v) sum.at[v] += weight * gradient.at[v];
    }
    store(to + pixel * toStride + channel, sum);
  }
}

Axis axisOf(int64_t extent, int64_t resized, bool alignCorners) {
  Axis axis{extent, resized, 0, 0, {}};
  int64_t denominator = 1;
  if (!alignCorners) {
    axis.factor = 2 * extent;
    axis.offset = extent - resized;
    denominator = 2 * resized;
  } else if (resized > 1) {
    axis.factor = extent - 1;
    denominator = resized - 1;
  }
  axis.denominator = Divider(denominator, std::max(denominator, axis.factor * resized));
  return axis;
}

PixelLoop loopOver(const ResizeGeometry& g, int lanes, int64_t height, int64_t width) {
  const int64_t perPixel = g.channels / lanes, groups = g.batch * height * width * perPixel;
  return {groups, Divider(std::max<int64_t>(1, perPixel), groups), Divider(width, groups), Divider(height, groups)};
}

/// From that factor on, each axis is done on its own: a pixel has few terms then, and there are more threads.
constexpr int64_t kSeparableFactor = 4;

bool isSeparate(const ResizeGeometry& g) {
  return g.resizedHeight >= kSeparableFactor * g.height && g.resizedWidth >= kSeparableFactor * g.width;
}

}  // namespace

void resize(const Launcher& launcher, const ResizeGeometry& g, const void* x, void* y) {
  const int64_t bytes = sizeOf(g.dtype);
  const int width = laneCount(g.channels, {{x, g.imageStride, bytes}, {y, g.resizedStride, bytes}});
  const PixelLoop loop = loopOver(g, width, g.resizedHeight, g.resizedWidth);
  withElement(g.dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      launch(resizeKernel<decltype(lanes)::value, T>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop,
             axisOf(g.height, g.resizedHeight, g.alignCorners), axisOf(g.width, g.resizedWidth, g.alignCorners),
             static_cast<const T*>(x), g.imageStride, static_cast<T*>(y), g.resizedStride);
    });
  });
}

int64_t resizeGradientScratchBytes(const ResizeGeometry& g) {
  return isSeparate(g) ? g.batch * g.height * g.resizedWidth * g.channels * 4 : 0;
}

void resizeGradient(const Launcher& launcher, const ResizeGeometry& g, const void* dy, void* dx, std::byte* scratch) {
  const int64_t bytes = sizeOf(g.dtype);
  const Axis vertical = axisOf(g.height, g.resizedHeight, g.alignCorners);
  const Axis horizontal = axisOf(g.width, g.resizedWidth, g.alignCorners);
  const int width = laneCount(g.channels, {{dx, g.imageStride, bytes}, {dy, g.resizedStride, bytes}});
  withElement(g.dtype, [&]<typename T>(T*) {
    withLanes(width, [&](auto lanes) {
      constexpr int V = decltype(lanes)::value;
      if (!isSeparate(g)) {
        const PixelLoop loop = loopOver(g, V, g.height, g.width);
        launch(gradientKernel<V, T>, launcher.blocksFor(loop.groups), kBlock, 0, launcher, loop, vertical, horizontal,
               static_cast<const T*>(dy), g.resizedStride, static_cast<T*>(dx), g.imageStride);
        return;
      }
      float* half = reinterpret_cast<float*>(scratch);  // N × height × resizedWidth × C
      const int64_t perPixel = g.channels / V;
      const int64_t first = g.batch * g.height * g.resizedWidth * perPixel;
      const int64_t second = g.batch * g.height * g.width * perPixel;
      launch(axisGradientKernel<V, float, T>, launcher.blocksFor(first), kBlock, 0, launcher, first,
             Divider(perPixel, first), Divider(g.resizedWidth, first), Divider(g.height, first), vertical,
             static_cast<const T*>(dy), g.resizedStride, half, g.channels);
      launch(axisGradientKernel<V, T, float>, launcher.blocksFor(second), kBlock, 0, launcher, second,
             Divider(perPixel, second), Divider(1, second), Divider(g.width, second), horizontal,
             static_cast<const float*>(half), g.channels, static_cast<T*>(dx), g.imageStride);
    });
  });
}

}  // namespace jcs::cuda
