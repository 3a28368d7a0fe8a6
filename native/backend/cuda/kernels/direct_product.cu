#include "backend/cuda/kernels/direct_product.h"

#include "backend/cuda/kernels/tiled_product.cuh"

namespace jcs::cuda {

namespace {

/// A pixel of one of the two images of a convolution.
struct Pixel {
  int64_t n, y, x;
};

/// Pixels of an image in row-major order.
struct PixelOrder {
  Divider width, height;
  PixelOrder() = default;
  PixelOrder(int64_t w, int64_t h, int64_t pixels) : width(w, pixels), height(h, pixels) {}
  __device__ Pixel at(int64_t i) const {
    Pixel pixel;
    pixel.x = width.split(i);
    pixel.y = height.split(i);
    pixel.n = i;
    return pixel;
  }
};

/// m: output pixels. k: kernel taps, channels of the group within. n: output channels of the group.
struct ForwardProblem {
  static constexpr bool kRowsInner = false, kColumnsInner = false;
  ConvolutionGeometry g;
  int64_t groupInputs, groupOutputs;
  PixelOrder outputs;
  Divider byInputs, byWidth;
  Element xElement, wElement, yElement, residualElement;
  Activation activation;
  const void *x, *w, *residual;
  const float* bias;
  void* y;

  struct Row {
    int64_t n, y, x, channel;
  };
  struct Column {
    int64_t weights;  ///< of the output channel
  };
  __device__ Row row(int64_t group, int64_t m) const {
    const Pixel p = outputs.at(m);
    return {p.n, p.y * g.stride - g.padding, p.x * g.stride - g.padding, group * groupInputs};
  }
  __device__ Column column(int64_t group, int64_t n) const {
    return {(group * groupOutputs + n) * groupInputs * g.kernelHeight * g.kernelWidth};
  }
  __device__ float a(const Row& row, int64_t k) const {
    const int64_t channel = byInputs.split(k), s = byWidth.split(k);
    const int64_t h = row.y + k * g.dilation, w0 = row.x + s * g.dilation;
    if (h < 0 || h >= g.height || w0 < 0 || w0 >= g.width) return 0.0f;
    return readElement(x, xElement.dtype,
                       ((row.n * g.height + h) * g.width + w0) * xElement.stride + row.channel + channel);
  }
  __device__ float b(const Column& column, int64_t k) const {
    const int64_t channel = byInputs.split(k);  // k becomes the tap
    return readElement(w, wElement.dtype, column.weights + channel * g.kernelHeight * g.kernelWidth + k);
  }
  __device__ void store(int64_t group, int64_t, int64_t m, int64_t n, float value) const {
    const int64_t channel = group * groupOutputs + n;
    if (bias != nullptr) value += bias[channel];
    if (residual != nullptr)
      value += readElement(residual, residualElement.dtype, m * residualElement.stride + channel);
    writeElement(y, yElement.dtype, m * yElement.stride + channel, activate(activation, value));
  }
};

/// m: image pixels. k: kernel taps, output channels of the group within. n: image channels of the group.
struct InputGradientProblem {
  static constexpr bool kRowsInner = false, kColumnsInner = true;
  ConvolutionGeometry g;
  int64_t groupInputs, groupOutputs;
  PixelOrder image;
  Divider byOutputs, byWidth, byStride;
  Element dyElement, wElement, dxElement;
  const void *dy, *w;
  void* dx;

  struct Row {
    int64_t n, y, x, channel;
  };
  struct Column {
    int64_t weights;  ///< of the image channel, for the group's first output channel
  };
  __device__ Row row(int64_t group, int64_t m) const {
    const Pixel p = image.at(m);
    return {p.n, p.y + g.padding, p.x + g.padding, group * groupOutputs};
  }
  __device__ Column column(int64_t group, int64_t n) const {
    return {(group * groupOutputs * groupInputs + n) * g.kernelHeight * g.kernelWidth};
  }
  __device__ float a(const Row& row, int64_t k) const {
    const int64_t channel = byOutputs.split(k), s = byWidth.split(k);
    int64_t p = row.y - k * g.dilation, q = row.x - s * g.dilation;
    if (p < 0 || q < 0) return 0.0f;
    if (byStride.split(p) != 0 || byStride.split(q) != 0 || p >= g.outHeight || q >= g.outWidth) return 0.0f;
    return readElement(dy, dyElement.dtype,
                       ((row.n * g.outHeight + p) * g.outWidth + q) * dyElement.stride + row.channel + channel);
  }
  __device__ float b(const Column& column, int64_t k) const {
    const int64_t channel = byOutputs.split(k);
    return readElement(w, wElement.dtype, column.weights + channel * groupInputs * g.kernelHeight * g.kernelWidth + k);
  }
  __device__ void store(int64_t group, int64_t, int64_t m, int64_t n, float value) const {
    writeElement(dx, dxElement.dtype, m * dxElement.stride + group * groupInputs + n, value);
  }
};

/// m: output channels of the group. k: output pixels. n: image channels of the group and taps, as weights lie.
struct WeightGradientProblem {
  static constexpr bool kRowsInner = true, kColumnsInner = true;
  ConvolutionGeometry g;
  int64_t groupInputs, groupOutputs, weights;
  PixelOrder outputs;
  Divider byTaps, byWidth;
  Element xElement, dyElement;
  const void *x, *dy;
  float* to;  ///< splits × weights

  struct Row {
    int64_t channel;
  };
  struct Column {
    int64_t channel, y, x;
  };
  __device__ Row row(int64_t group, int64_t m) const { return {group * groupOutputs + m}; }
  __device__ Column column(int64_t group, int64_t n) const {
    int64_t tap = byTaps.split(n);
    const int64_t s = byWidth.split(tap);
    return {group * groupInputs + n, tap * g.dilation - g.padding, s * g.dilation - g.padding};
  }
  __device__ float a(const Row& row, int64_t k) const {
    return readElement(dy, dyElement.dtype, k * dyElement.stride + row.channel);
  }
  __device__ float b(const Column& column, int64_t k) const {
    const Pixel p = outputs.at(k);
    const int64_t h = p.y * g.stride + column.y, w = p.x * g.stride + column.x;
    if (h < 0 || h >= g.height || w < 0 || w >= g.width) return 0.0f;
    return readElement(x, xElement.dtype, ((p.n * g.height + h) * g.width + w) * xElement.stride + column.channel);
  }
  __device__ void store(int64_t group, int64_t split, int64_t m, int64_t n, float value) const {
    const int64_t perOutput = groupInputs * g.kernelHeight * g.kernelWidth;
    to[split * weights + (group * groupOutputs + m) * perOutput + n] = value;
  }
};

template <bool kTransposeA, bool kTransposeB>
struct MatmulProblem {
  static constexpr bool kRowsInner = kTransposeA, kColumnsInner = !kTransposeB;
  DirectMatmul p;
  const float *left, *right, *bias;
  float* y;

  struct Row {
    int64_t m;
  };
  struct Column {
    int64_t n;
  };
  __device__ Row row(int64_t, int64_t m) const { return {m}; }
  __device__ Column column(int64_t, int64_t n) const { return {n}; }
  __device__ float a(const Row& row, int64_t k) const {
    return kTransposeA ? left[k * p.m + row.m] : left[row.m * p.k + k];
  }
  __device__ float b(const Column& column, int64_t k) const {
    return kTransposeB ? right[column.n * p.k + k] : right[k * p.n + column.n];
  }
  __device__ void store(int64_t, int64_t, int64_t m, int64_t n, float value) const {
    if (bias != nullptr) value += bias[n];
    y[m * p.n + n] = activate(p.activation, value);
  }
};

int64_t tapsOf(const ConvolutionGeometry& g) { return g.kernelHeight * g.kernelWidth; }

ProductExtents weightGradientExtents(const ConvolutionGeometry& g, int64_t splits) {
  return {g.groups, g.outChannels / g.groups, g.channels / g.groups * tapsOf(g), g.batch * g.outHeight * g.outWidth,
          splits};
}

}  // namespace

void directConvolution(const Launcher& launcher, const DirectConvolution& c, const void* x, const void* w,
                       const float* bias, const void* residual, void* y) {
  const ConvolutionGeometry& g = c.g;
  const int64_t inputs = g.channels / g.groups, outputs = g.outChannels / g.groups;
  const ProductExtents extents{g.groups, g.batch * g.outHeight * g.outWidth, outputs, inputs * tapsOf(g), 1};
  const ForwardProblem problem{g,
                               inputs,
                               outputs,
                               PixelOrder(g.outWidth, g.outHeight, extents.m),
                               Divider(inputs, extents.k),
                               Divider(g.kernelWidth, extents.k),
                               c.x,
                               c.w,
                               c.y,
                               c.residual,
                               c.activation,
                               x,
                               w,
                               residual,
                               bias,
                               y};
  product(launcher, extents, problem);
}

void directInputGradient(const Launcher& launcher, const DirectInputGradient& c, const void* dy, const void* w,
                         void* dx) {
  const ConvolutionGeometry& g = c.g;
  const int64_t inputs = g.channels / g.groups, outputs = g.outChannels / g.groups;
  const ProductExtents extents{g.groups, g.batch * g.height * g.width, inputs, outputs * tapsOf(g), 1};
  const InputGradientProblem problem{g,
                                     inputs,
                                     outputs,
                                     PixelOrder(g.width, g.height, extents.m),
                                     Divider(outputs, extents.k),
                                     Divider(g.kernelWidth, extents.k),
                                     Divider(g.stride, std::max(g.height, g.width) + g.padding),
                                     c.dy,
                                     c.w,
                                     c.dx,
                                     dy,
                                     w,
                                     dx};
  product(launcher, extents, problem);
}

int64_t weightGradientSplits(const ConvolutionGeometry& g, int multiprocessors) {
  const ProductExtents extents = weightGradientExtents(g, 1);
  const int64_t tiles = productTiles(extents, 4, extents.n <= kProductSide ? 1 : 4);
  const int64_t most = std::max<int64_t>(1, extents.k / (16 * kProductDepth));
  return std::clamp<int64_t>(2 * multiprocessors / std::max<int64_t>(1, tiles), 1, most);
}

void directWeightGradient(const Launcher& launcher, const DirectWeightGradient& c, const void* x, const void* dy,
                          float* to) {
  const ConvolutionGeometry& g = c.g;
  const ProductExtents extents = weightGradientExtents(g, c.splits);
  const WeightGradientProblem problem{g,
                                      g.channels / g.groups,
                                      extents.m,
                                      g.groups * extents.m * extents.n,
                                      PixelOrder(g.outWidth, g.outHeight, extents.k),
                                      Divider(tapsOf(g), extents.n),
                                      Divider(g.kernelWidth, tapsOf(g)),
                                      c.x,
                                      c.dy,
                                      x,
                                      dy,
                                      to};
  product(launcher, extents, problem);
}

void directMatmul(const Launcher& launcher, const DirectMatmul& p, const float* a, const float* b, const float* bias,
                  float* y) {
  const ProductExtents extents{1, p.m, p.n, p.k, 1};
  const auto start = [&](auto transposeA, auto transposeB) {
    product(launcher, extents,
            MatmulProblem<decltype(transposeA)::value, decltype(transposeB)::value>{p, a, b, bias, y});
  };
  const std::true_type yes;
  const std::false_type no;
  if (p.transposeA) {
    p.transposeB ? start(yes, yes) : start(yes, no);
  } else {
    p.transposeB ? start(no, yes) : start(no, no);
  }
}

}  // namespace jcs::cuda
