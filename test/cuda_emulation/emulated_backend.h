#pragma once

#include <memory>

#include "backend/backend.h"
#include "emulation.h"

namespace jcs {

/// The CUDA backend's own kernels on the host: a backend of the tests, float32 and bf16, with our own convolutions and
/// matrix products where the real one calls libraries.
std::shared_ptr<Backend> createEmulatedCudaBackend(cuda_emulation::Order order = cuda_emulation::Order::kForward);

}  // namespace jcs
