#pragma once

#include "backend/cuda/kernels/launcher.h"
#include "core/dtype.h"

namespace jcs::cuda {

/// A pooling from x to y, N×H×W×C, whichever of the two is the result.
struct PoolGeometry {
  int64_t batch, height, width, channels;  ///< of x
  int64_t outHeight, outWidth;             ///< of y
  int64_t bins, kernel, stride, padding;   ///< as in ops/pool.h
  bool countIncludePad;
  int64_t xStride, yStride;  ///< of x, or its gradient; of y, or its
};

void maxPool(const Launcher& launcher, const PoolGeometry& g, DType dtype, const void* x, void* y);
/// dx, whose rows are `dxStride` apart, from dy and x, with scratch.
void maxPoolGradient(const Launcher& launcher, const PoolGeometry& g, DType dyDtype, DType xDtype, const void* dy,
                     const void* x, int64_t dxStride, void* dx, void* scratch);
int64_t maxPoolGradientScratchBytes(const PoolGeometry& g);
void averagePool(const Launcher& launcher, const PoolGeometry& g, DType dtype, const void* x, void* y);
void averagePoolGradient(const Launcher& launcher, const PoolGeometry& g, DType dtype, const void* dy, void* dx);

}  // namespace jcs::cuda
