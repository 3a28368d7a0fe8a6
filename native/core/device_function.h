#pragma once

/// Marks a function that kernels of every backend call, those that run on a GPU included.
#ifdef __CUDACC__
#define JCS_DEVICE_FUNCTION __host__ __device__
#else
#define JCS_DEVICE_FUNCTION
#endif
