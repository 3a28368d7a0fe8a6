#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace jcs::runtime {

/// What a device does at its best: the roof under which kernels are judged.
struct Peaks {
  std::map<std::string, double> flopsPerSecond;  ///< of a dense product, by the dtype of its operands
  double bytesPerSecond = 0;                     ///< to and from memory, beyond all caches
};

/// The dtypes of operands whose products the device is fast at; kU8: bytes.
std::vector<DType> productTypes(Engine& engine);

/// Measured, in a fraction of a second, on that many threads; execution thread. OUT_OF_MEMORY where what fits into no
/// cache does not fit into memory either.
Peaks measurePeaks(Engine& engine, int threads);

}  // namespace jcs::runtime
