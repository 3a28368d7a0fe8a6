#pragma once

#include <cstdint>
#include <string>

#include "runtime/engine.h"

namespace jcs::model {

struct RuntimeOptions {
  std::string device = "auto";
  std::string precision = "auto";  ///< "auto" | "fp32" | "tf32" | "bf16" | "int8"
  int threads = 0;                 ///< 0: as many as the process may use
  int64_t memoryLimitBytes = 0;    ///< of the process on the device, for all models from now on; 0: as it is
};

/// What convolutions of numbers are computed in. INVALID_ARGUMENT for a precision that there is not.
DType chooseActivation(const std::string& precision, const Backend& backend);
/// Whether a quantised model computes in bytes: where these are fast, and where they are asked for and possible.
bool choosesBytes(const std::string& precision, const Backend& backend);
/// At most as many as the device has. INVALID_ARGUMENT.
int chooseThreads(int threads, const DeviceInfo& device);

}  // namespace jcs::model
