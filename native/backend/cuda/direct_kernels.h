#pragma once

#include "backend/cuda/cuda_device.h"

namespace jcs::cuda {

// Convolutions and matrix products on our own kernels: what takes over where no library has an engine. Every operand
// may be a channel slice, but for weights, their gradients and the matrices.

/// Convolutions for which no library has a good engine: 1×1 to one channel, and 3×3 of images of three channels;
/// nullptr for any other.
std::unique_ptr<Kernel> prepareOwnConv2d(const Prepare& p);
/// A product of few rows with a transposed matrix: a dense layer of a small batch; nullptr for any other.
std::unique_ptr<Kernel> prepareFewRows(const Prepare& p);
std::unique_ptr<Kernel> prepareDirectConv2d(const Prepare& p);
std::unique_ptr<Kernel> prepareDirectConv2dInputGradient(const Prepare& p);
std::unique_ptr<Kernel> prepareDirectConv2dWeightGradient(const Prepare& p);
std::unique_ptr<Kernel> prepareDirectMatmul(const Prepare& p);

}  // namespace jcs::cuda
