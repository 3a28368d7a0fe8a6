#pragma once

#include "emulation.h"

// What the sources of the CUDA backend that the tests run on the host take from CUDA's header of this name.
using cudaStream_t = cuda_emulation::Stream*;
enum cudaError_t { cudaSuccess = 0 };
