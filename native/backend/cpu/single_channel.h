#pragma once

#include "backend/cpu/cpu_device.h"

namespace jcs::cpu {

// Convolutions to a single channel by kernels of more than one pixel, and their gradients, as the score layers of EGNet
// and the enlargements of DSS, which have up to 64×64 taps. Blocked products leave fifteen of sixteen lanes empty, and
// oneDNN's take gigabytes of scratch for such kernels. With one output a row of the kernel, S·I numbers, lies in memory
// as the row of pixels does that it is multiplied with, and is the vector.

/// Null where others have to do it: more outputs, operands with strides, groups, dilation; of input gradients, more
/// than one input as well.
std::unique_ptr<Kernel> singleChannelConvolution(const Prepare& p);
std::unique_ptr<Kernel> singleChannelInputGradient(const Prepare& p);
/// Without that of the bias.
std::unique_ptr<Kernel> singleChannelWeightGradient(const Prepare& p);

}  // namespace jcs::cpu
