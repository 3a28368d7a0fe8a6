#pragma once

#include "backend/cuda/kernels/launcher.h"
#include "core/dtype.h"
#include "ops/activation.h"

namespace jcs::cuda {

/// A 3×3 convolution of images of three channels, with padding 1: the first of every network. A library pads the three
/// to eight, in memory, and computes with zeros; here nine pixels of three numbers are products enough to be bound by
/// what is written. Sums are float32, weights float32 too.
struct ImageConvolution {
  int64_t samples, height, width;  ///< of x, dense N×H×W×3
  int64_t outputHeight, outputWidth, outputs;
  int64_t stride;   ///< 1 or 2
  int64_t yStride;  ///< elements between pixels of y
  DType xDtype, yDtype;
  Activation activation;

  static constexpr int kChannels = 3, kTaps = 9;
  static constexpr int kLanes = 8;  ///< output channels of a thread; `outputs` is a multiple
  static constexpr int64_t kLargestOutputs = 256;

  int64_t packedBytes() const { return kTaps * kChannels * outputs * 4; }
};
/// From O×3×3×3 into the order in which threads read them.
void packImageWeights(const Launcher& launcher, int64_t outputs, const float* weights, float* packed);
/// `bias` may be null.
void convolveImages(const Launcher& launcher, const ImageConvolution& c, const void* x, const float* packed,
                    const float* bias, void* y);

}  // namespace jcs::cuda
