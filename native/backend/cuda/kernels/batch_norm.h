#pragma once

#include "backend/cuda/kernels/column_sums.h"
#include "core/dtype.h"
#include "ops/activation.h"

namespace jcs::cuda {

/// Batch normalisation of rows × channels; see ops/batch_norm.h. Scratch: `batchNormScratchBytes`.
struct BatchNormRows {
  ColumnCut cut;
  DType dtype;  ///< of x and y
  int64_t xStride, residualStride, yStride;
  float epsilon;
  Activation activation;
};
struct BatchNormPointers {
  const void* x;
  const float *gamma, *beta;
  const void* residual;  ///< or null
  void* y;
  float *mean, *variance;
};
int64_t batchNormScratchBytes(const ColumnCut& cut);
void batchNorm(const Launcher& launcher, const BatchNormRows& rows, const BatchNormPointers& p, std::byte* scratch);

struct BatchNormGradientRows {
  ColumnCut cut;
  DType dyDtype, xDtype;  ///< dx has x's
  int64_t dyStride, xStride, dxStride;
  float epsilon;
  bool relu;
};
struct BatchNormGradientPointers {
  const void *dy, *x;
  const float *gamma, *mean, *variance, *beta;  ///< beta is read with `relu` only
  void* dx;
  float *dGamma, *dBeta;
};
int64_t batchNormGradientScratchBytes(const ColumnCut& cut);
void batchNormGradient(const Launcher& launcher, const BatchNormGradientRows& rows, const BatchNormGradientPointers& p,
                       std::byte* scratch);

void batchNormScaleShift(const Launcher& launcher, int64_t channels, float epsilon, const float* gamma,
                         const float* beta, const float* mean, const float* variance, float* scale, float* shift);

}  // namespace jcs::cuda
