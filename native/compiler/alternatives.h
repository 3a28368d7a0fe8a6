#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace jcs::compiler {

/// What a step of a program computes.
struct Computation {
  std::shared_ptr<const Op> op;
  std::vector<Operand> inputs, outputs;
};

/// Another kernel that could do a step.
struct Alternative {
  std::string implementation;
  DType dtype;         ///< of the step's activations, were it taken
  double speedup = 0;  ///< what the step's own kernel takes over what this one takes, both alone and warm
};

/// Times what a backend could compute convolutions with, in each of some precisions: on operands of their size and
/// strides, apart from any program. `dtypes` are those of activations; of kU8, what convolutions of bytes take, reading
/// and writing bytes. Of each computation the fastest first, of what is no convolution none. Throws OUT_OF_MEMORY, and
/// CANCELLED between two.
std::vector<std::vector<Alternative>> timeAlternatives(std::span<const Computation> computations,
                                                       const std::shared_ptr<Backend>& backend,
                                                       const KernelOptions& options, std::span<const DType> dtypes,
                                                       const std::atomic<bool>* cancelled = nullptr);

}  // namespace jcs::compiler
