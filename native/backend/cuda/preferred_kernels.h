#pragma once

#include "backend/cuda/cuda_device.h"

namespace jcs::cuda {

// Kernels of our own that are taken where they apply, before a library is asked.

/// For a 1×1 convolution to one channel, and a 3×3 one of images of three channels with padding 1 and stride 1 or 2;
/// nullptr for any other.
std::unique_ptr<Kernel> preparePreferredConv2d(const Prepare& p);
/// For a product of up to 32 rows with a transposed matrix: a dense layer of a small batch; nullptr for any other.
std::unique_ptr<Kernel> preparePreferredMatmul(const Prepare& p);

}  // namespace jcs::cuda
