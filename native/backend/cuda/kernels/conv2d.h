#pragma once

#include "backend/cuda/kernels/launcher.h"
#include "core/dtype.h"
#include "ops/activation.h"

namespace jcs::cuda {

/// Whether this library holds machine code for the current device, or code that the driver can compile for it.
bool hasKernelsForCurrentDevice();

/// Convolution weights: O×I×R×S in float32 as files have them; for the library O×R×S×I of `dtype`, outputs and inputs
/// padded with zeros to what the tensor cores want.
struct WeightLayout {
  int64_t outputs, inputs, taps;  ///< taps: R·S
  int64_t paddedOutputs, paddedInputs;
  DType dtype;

  int64_t packedBytes() const { return paddedOutputs * taps * paddedInputs * sizeOf(dtype); }
  /// Equal for equal layouts of the same weights.
  std::string form() const {
    return "padded to " + std::to_string(paddedOutputs) + "x" + std::to_string(paddedInputs) + " " + nameOf(dtype);
  }
};
void packWeights(const Launcher& launcher, const WeightLayout& layout, const float* weights, void* packed);
/// The other way, for gradients.
void unpackWeights(const Launcher& launcher, const WeightLayout& layout, const void* packed, float* weights);

/// Rows of channels, copied into rows of more channels; those beyond are zero.
struct PaddedRows {
  int64_t rows, channels, stride, paddedChannels;
  DType dtype;
};
void padRows(const Launcher& launcher, const PaddedRows& p, const void* x, void* padded);

/// y = act(x · weightsᵀ + bias), by row and column, weights columns × channels: a 1×1 convolution to one channel, of
/// which a library makes a matrix product with eight columns that nobody asked for, and products of few rows, which are
/// over before a library's kernel has filled its tiles. `bias`, a number for each column, may be null.
struct RowDots {
  int64_t rows, columns, channels, xStride, yStride;
  DType xDtype, yDtype;
  Activation activation;
};
void rowDots(const Launcher& launcher, const RowDots& d, const void* x, const float* weights, const float* bias,
             void* y);

/// y = act(x + bias + residual) over rows; bias per channel. What a convolution does to its result where the library
/// cannot. `bias` and `residual` may be null; y may lie where x lies.
struct FinishRows {
  int64_t rows, channels;
  DType dtype, residualDtype;
  int64_t xStride, yStride, residualStride;
  Activation activation;
};
void finishRows(const Launcher& launcher, const FinishRows& f, const void* x, const float* bias, const void* residual,
                void* y);

}  // namespace jcs::cuda
