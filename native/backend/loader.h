#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace jcs {

/// Opens a backend library and creates its device: "cpu", "cuda" or "cuda:N". The library is looked for in
/// JCS_BACKEND_DIR, then beside the binary that this code is in, then in the package that `setPackageFolder` names; its
/// ABI number is checked first. A GPU is tried in a process of its own before (backend/device_trial.h). Libraries are
/// never closed. Throws DEVICE_UNAVAILABLE saying what is missing and what to do.
std::shared_ptr<Backend> loadBackend(const std::string& device, int threads = 0);

/// Every device there could be, also the unusable ones with their reasons.
std::vector<DeviceInfo> listDevices();

/// Where the library of that kind of device lies when it is a package of its own.
void setPackageFolder(const std::string& kind, const std::string& folder);

/// What the library itself says, without a trial. DEVICE_UNAVAILABLE as above.
std::shared_ptr<Backend> createDevice(const std::filesystem::path& library, int index, int threads = 0);
std::vector<DeviceInfo> listDevicesOf(const std::filesystem::path& library);

}  // namespace jcs
