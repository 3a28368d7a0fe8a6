#pragma once

#include "backend/cuda/cuda_device.h"

namespace jcs::cuda {

// Convolutions and matrix products on our own kernels: what takes over where no library has an engine. Every operand
// may be a channel slice, but for weights, their gradients and the matrices.

std::unique_ptr<Kernel> prepareDirectConv2d(const Prepare& p);
std::unique_ptr<Kernel> prepareDirectConv2dInputGradient(const Prepare& p);
std::unique_ptr<Kernel> prepareDirectConv2dWeightGradient(const Prepare& p);
std::unique_ptr<Kernel> prepareDirectMatmul(const Prepare& p);

}  // namespace jcs::cuda
