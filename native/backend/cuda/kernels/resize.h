#pragma once

#include "backend/cuda/kernels/launcher.h"
#include "core/dtype.h"

namespace jcs::cuda {

/// Bilinear interpolation between an image and a resized one, N×H×W×C; see ops/resize.h.
struct ResizeGeometry {
  int64_t batch, channels;
  int64_t height, width;                ///< of the image
  int64_t resizedHeight, resizedWidth;  ///< of the result; for gradients, of dy
  bool alignCorners;
  DType dtype;
  int64_t imageStride, resizedStride;
};

void resize(const Launcher& launcher, const ResizeGeometry& g, const void* x, void* y);
/// Needs scratch where the image was enlarged a lot.
int64_t resizeGradientScratchBytes(const ResizeGeometry& g);
void resizeGradient(const Launcher& launcher, const ResizeGeometry& g, const void* dy, void* dx, std::byte* scratch);

}  // namespace jcs::cuda
