#include "ops/resize.h"
#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

/// Calls visit(n, p, q, y, x, weight) for the four image pixels (y, x) that each pixel (p, q) of the resized image is
/// a mean of. Two of them coincide at the border, with weight 0 for one.
template <typename Visit>
void forEachTap(const Shape& image, const Shape& resized, bool alignCorners, Visit visit) {
  for (int64_t p = 0; p < resized[1]; ++p) {
    const ResizeTap vertical = resizeTap(p, image[1], resized[1], alignCorners);
    for (int64_t q = 0; q < resized[2]; ++q) {
      const ResizeTap horizontal = resizeTap(q, image[2], resized[2], alignCorners);
      const double down = vertical.fraction, right = horizontal.fraction;
      for (int64_t n = 0; n < resized[0]; ++n) {
        visit(n, p, q, vertical.low, horizontal.low, (1 - down) * (1 - right));
        visit(n, p, q, vertical.low, horizontal.high, (1 - down) * right);
        visit(n, p, q, vertical.high, horizontal.low, down * (1 - right));
        visit(n, p, q, vertical.high, horizontal.high, down * right);
      }
    }
  }
}

void resize(const Resize& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  y.fill(0);
  forEachTap(x.shape(), y.shape(), op.alignCorners,
             [&](int64_t n, int64_t p, int64_t q, int64_t row, int64_t column, double weight) {
               for (int64_t c = 0; c < y.channels(); ++c) y.at(n, p, q, c) += weight * x.at(n, row, column, c);
             });
}

void resizeGradient(const ResizeGradient& op, const Operands& operands) {
  const Input& dy = operands.inputs[0];
  const Output& dx = operands.outputs[0];
  dx.fill(0);
  forEachTap(dx.shape(), dy.shape(), op.alignCorners,
             [&](int64_t n, int64_t p, int64_t q, int64_t row, int64_t column, double weight) {
               for (int64_t c = 0; c < dx.channels(); ++c) dx.at(n, row, column, c) += weight * dy.at(n, p, q, c);
             });
}

}  // namespace

void addResizeKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<Resize>(kernels, resize);
  addLoops<ResizeGradient>(kernels, resizeGradient);
}

}  // namespace jcs::reference
