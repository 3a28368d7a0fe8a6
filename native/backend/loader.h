#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace jcs {

/// Opens a backend library and creates its device: "cpu", "cuda" or "cuda:N". The library is looked for in
/// JCS_BACKEND_DIR, then beside the binary that this code is in; its ABI number is checked first. Libraries are never
/// closed. Throws DEVICE_UNAVAILABLE saying what is missing and what to do.
std::shared_ptr<Backend> loadBackend(const std::string& device, int threads = 0);

/// Every device there could be, also the unusable ones with their reasons.
std::vector<DeviceInfo> listDevices();

}  // namespace jcs
