#include <algorithm>

#include "backend/reference/kernels.h"
#include "ops/pool.h"

namespace jcs::reference {

namespace {

/// The pixels of an image that a window covers along one axis, [begin, end), and how many it covers when the padding
/// counts. A window that ceil mode lets hang over the padded image is cut there first, as PyTorch does.
struct Span {
  int64_t begin, end, padded;
};

Span window(const PoolAttributes& pool, int64_t position, int64_t extent) {
  if (pool.bins > 0) {
    const int64_t begin = position * extent / pool.bins, last = ((position + 1) * extent - 1) / pool.bins;
    return {begin, last + 1, last + 1 - begin};
  }
  const int64_t begin = position * pool.stride - pool.padding;
  const int64_t end = std::min(begin + pool.kernel, extent + pool.padding);
  return {std::max<int64_t>(begin, 0), std::min(end, extent), end - begin};
}

/// Calls visit(n, p, q, vertical span, horizontal span) for every pixel (p, q) of the pooled image.
template <typename Visit>
void forEachWindow(const PoolAttributes& pool, const Shape& image, const Shape& pooled, Visit visit) {
  for (int64_t n = 0; n < pooled[0]; ++n)
    for (int64_t p = 0; p < pooled[1]; ++p)
      for (int64_t q = 0; q < pooled[2]; ++q) visit(n, p, q, window(pool, p, image[1]), window(pool, q, image[2]));
}

struct Pixel {
  int64_t y, x;
};

/// The first maximum in row-major order; a NaN wins, so that it is seen downstream.
Pixel maximum(const Input& x, int64_t n, const Span& vertical, const Span& horizontal, int64_t c) {
  Pixel best{vertical.begin, horizontal.begin};
  for (int64_t row = vertical.begin; row < vertical.end; ++row)
    for (int64_t column = horizontal.begin; column < horizontal.end; ++column) {
      const double value = x.at(n, row, column, c);
      if (value > x.at(n, best.y, best.x, c) || std::isnan(value)) best = {row, column};
    }
  return best;
}

double divisor(const PoolAttributes& pool, const Span& vertical, const Span& horizontal) {
  const int64_t inside = (vertical.end - vertical.begin) * (horizontal.end - horizontal.begin);
  return static_cast<double>(pool.countIncludePad ? vertical.padded * horizontal.padded : inside);
}

void maxPool(const MaxPool2d& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  forEachWindow(op.pool, x.shape(), y.shape(), [&](int64_t n, int64_t p, int64_t q, const Span& v, const Span& h) {
    for (int64_t c = 0; c < y.channels(); ++c) {
      const Pixel best = maximum(x, n, v, h, c);
      y.at(n, p, q, c) = x.at(n, best.y, best.x, c);
    }
  });
}

void maxPoolGradient(const MaxPool2dGradient& op, const Operands& operands) {
  const Input &dy = operands.inputs[0], &x = operands.inputs[1];
  const Output& dx = operands.outputs[0];
  dx.fill(0);
  forEachWindow(op.pool, x.shape(), dy.shape(), [&](int64_t n, int64_t p, int64_t q, const Span& v, const Span& h) {
    for (int64_t c = 0; c < dx.channels(); ++c) {
      const Pixel best = maximum(x, n, v, h, c);
      dx.at(n, best.y, best.x, c) += dy.at(n, p, q, c);
    }
  });
}

void averagePool(const AveragePool2d& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  y.fill(0);
  forEachWindow(op.pool, x.shape(), y.shape(), [&](int64_t n, int64_t p, int64_t q, const Span& v, const Span& h) {
    for (int64_t row = v.begin; row < v.end; ++row)
      for (int64_t column = h.begin; column < h.end; ++column)
        for (int64_t c = 0; c < y.channels(); ++c) y.at(n, p, q, c) += x.at(n, row, column, c) / divisor(op.pool, v, h);
  });
}

void averagePoolGradient(const AveragePool2dGradient& op, const Operands& operands) {
  const Input& dy = operands.inputs[0];
  const Output& dx = operands.outputs[0];
  dx.fill(0);
  forEachWindow(op.pool, dx.shape(), dy.shape(), [&](int64_t n, int64_t p, int64_t q, const Span& v, const Span& h) {
    for (int64_t row = v.begin; row < v.end; ++row)
      for (int64_t column = h.begin; column < h.end; ++column)
        for (int64_t c = 0; c < dx.channels(); ++c)
          dx.at(n, row, column, c) += dy.at(n, p, q, c) / divisor(op.pool, v, h);
  });
}

}  // namespace

void addPoolKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<MaxPool2d>(kernels, maxPool);
  addLoops<MaxPool2dGradient>(kernels, maxPoolGradient);
  addLoops<AveragePool2d>(kernels, averagePool);
  addLoops<AveragePool2dGradient>(kernels, averagePoolGradient);
}

}  // namespace jcs::reference
