#include "backend/loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

namespace jcs {

namespace {

namespace fs = std::filesystem;

fs::path libraryPath(const std::string& kind) {
  const std::string file = "libjcs_" + kind + ".so";
  if (const char* directory = std::getenv("JCS_BACKEND_DIR")) return fs::path(directory) / file;
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&loadBackend), &info);
  return fs::path(info.dli_fname ? info.dli_fname : ".").parent_path() / file;
}

[[noreturn]] void unavailable(const std::string& device, const std::string& reason) {
  fail(errors::kDeviceUnavailable, "device '" + device + "' cannot be used: " + reason);
}

template <typename Function>
Function symbol(void* library, const char* name, const std::string& device) {
  void* address = dlsym(library, name);
  if (address == nullptr)
    unavailable(device, std::string("its library does not export ") + name + "; reinstall jcs-ct");
  return reinterpret_cast<Function>(address);
}

/// The library of that kind of device, its ABI checked. Opening it twice gives the same one.
void* openLibrary(const std::string& kind, const std::string& device) {
  const fs::path path = libraryPath(kind);
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    unavailable(device, path.filename().string() + " is not installed beside the addon" +
                            (kind == "cuda" ? "; this build of jcs-ct has no CUDA backend" : "; reinstall jcs-ct"));
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) unavailable(device, dlerror());
  const int abi = symbol<BackendAbiFunction>(library, "jcsBackendAbi", device)();
  if (abi != kBackendAbi)
    unavailable(device, "its library has ABI " + std::to_string(abi) + ", this build needs " +
                            std::to_string(kBackendAbi) + "; install matching versions");
  return library;
}

/// Calls into a backend library; why it cannot use a device gets the device's name.
template <typename Call>
auto namingDevice(const std::string& device, Call&& call) {
  try {
    return call();
  } catch (const Error& error) {
    if (error.code() != errors::kDeviceUnavailable) throw;
    unavailable(device, error.what());
  }
}

}  // namespace

std::shared_ptr<Backend> loadBackend(const std::string& device, int threads) {
  const size_t colon = device.find(':');
  const std::string kind = device.substr(0, colon);
  int index = 0;
  const bool known = kind == "cpu" || kind == "cuda";
  if (colon != std::string::npos) {
    const std::string digits = device.substr(colon + 1);
    const bool number = kind == "cuda" && !digits.empty() && digits.size() < 4 &&
                        digits.find_first_not_of("0123456789") == std::string::npos;
    require(number, errors::kInvalidArgument,
            "device '" + device + "' is unknown; use 'auto', 'cpu', 'cuda' or 'cuda:N'");
    index = std::stoi(digits);
  }
  require(known, errors::kInvalidArgument, "device '" + device + "' is unknown; use 'auto', 'cpu', 'cuda' or 'cuda:N'");

  void* library = openLibrary(kind, device);
  const auto create = symbol<CreateBackendFunction>(library, "jcsCreateBackend", device);
  return namingDevice(device, [&] { return std::shared_ptr<Backend>(create(index, threads)); });
}

std::vector<DeviceInfo> listDevices() {
  std::vector<DeviceInfo> devices;
  for (const std::string kind : {"cpu", "cuda"}) {
    try {
      const auto list = symbol<ListDevicesFunction>(openLibrary(kind, kind), "jcsListDevices", kind);
      namingDevice(kind, [&] { list(devices); });
    } catch (const Error& error) {
      DeviceInfo info;
      info.name = info.kind = kind;
      info.reason = error.what();
      devices.push_back(info);
    }
  }
  return devices;
}

}  // namespace jcs
