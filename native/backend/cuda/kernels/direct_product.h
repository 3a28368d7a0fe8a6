#pragma once

#include "backend/cuda/kernels/launcher.h"
#include "core/dtype.h"
#include "ops/activation.h"

namespace jcs::cuda {

// Convolutions and matrix products without a library: any dtype, row stride, dilation and number of groups. Products
// are of the operands as they are, sums are float32.

/// An operand: an activation's pixels are `stride` elements apart.
struct Element {
  DType dtype = DType::kF32;
  int64_t stride = 0;
};

struct ConvolutionGeometry {
  int64_t batch, height, width, channels;    ///< of the image
  int64_t outHeight, outWidth, outChannels;  ///< of the result of the forward pass
  int64_t kernelHeight, kernelWidth;
  int64_t stride, padding, dilation, groups;
};

struct DirectConvolution {
  ConvolutionGeometry g;
  Element x, w, y, residual;
  Activation activation = Activation::kNone;
};
/// y = act(x ∗ w + bias + residual); bias and residual may be null.
void directConvolution(const Launcher& launcher, const DirectConvolution& c, const void* x, const void* w,
                       const float* bias, const void* residual, void* y);

/// dx from dy and w.
struct DirectInputGradient {
  ConvolutionGeometry g;
  Element dy, w, dx;
};
void directInputGradient(const Launcher& launcher, const DirectInputGradient& c, const void* dy, const void* w,
                         void* dx);

/// dw, float32, from x and dy; the pixels are cut into `splits` sums, which `partials` holds when there are several.
struct DirectWeightGradient {
  ConvolutionGeometry g;
  Element x, dy;
  int64_t splits = 1;
};
int64_t weightGradientSplits(const ConvolutionGeometry& g, int multiprocessors);
void directWeightGradient(const Launcher& launcher, const DirectWeightGradient& c, const void* x, const void* dy,
                          float* to);

/// y = act(op(a) · op(b) + bias), float32 and dense.
struct DirectMatmul {
  int64_t m, n, k;
  bool transposeA, transposeB;
  Activation activation;
};
void directMatmul(const Launcher& launcher, const DirectMatmul& p, const float* a, const float* b, const float* bias,
                  float* y);

}  // namespace jcs::cuda
