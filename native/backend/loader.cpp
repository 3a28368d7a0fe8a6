#include "backend/loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "backend/device_trial.h"
#include "core/cache_folder.h"

namespace jcs {

namespace {

namespace fs = std::filesystem;

/// Folders of backend libraries that are packages of their own.
std::map<std::string, fs::path>& packageFolders() {
  static std::map<std::string, fs::path> folders;
  return folders;
}
std::mutex& packageFoldersMutex() {
  static std::mutex mutex;
  return mutex;
}

fs::path libraryPath(const std::string& kind) {
  const std::string file = "libjcs_" + kind + ".so";
  if (const char* directory = std::getenv("JCS_BACKEND_DIR")) return fs::path(directory) / file;
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&loadBackend), &info);
  const fs::path beside = fs::path(info.dli_fname ? info.dli_fname : ".").parent_path() / file;
  const std::lock_guard lock(packageFoldersMutex());
  const auto package = packageFolders().find(kind);
  std::error_code ignored;
  return fs::exists(beside, ignored) || package == packageFolders().end() ? beside : package->second / file;
}

[[noreturn]] void unavailable(const std::string& device, const std::string& reason) {
  fail(errors::kDeviceUnavailable, "device '" + device + "' cannot be used: " + reason);
}

template <typename Function>
Function symbol(void* library, const char* name) {
  void* address = dlsym(library, name);
  require(address != nullptr, errors::kDeviceUnavailable,
          [&] { return std::string("its library does not export ") + name + "; reinstall jcs-ct"; });
  return reinterpret_cast<Function>(address);
}

/// The library, its ABI checked. Opening it twice gives the same one.
void* openLibrary(const fs::path& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  require(library != nullptr, errors::kDeviceUnavailable, [] { return std::string(dlerror()); });
  const int abi = symbol<BackendAbiFunction>(library, "jcsBackendAbi")();
  require(abi == kBackendAbi, errors::kDeviceUnavailable, [&] {
    return "its library has ABI " + std::to_string(abi) + ", this build needs " + std::to_string(kBackendAbi) +
           "; install matching versions";
  });
  return library;
}

/// Tries a GPU once in this process's life: one that hangs would take a minute each time it is asked for. Throws what
/// the trial said.
void tryOnce(const fs::path& library, int index) {
  static std::mutex mutex;
  static std::map<std::pair<fs::path, int>, std::optional<Error>> failures;
  const std::lock_guard lock(mutex);
  const auto [trial, isNew] = failures.try_emplace({library, index});
  if (isNew) {
    const fs::path cache = cacheFolder();
    try {
      tryDevice(library, index, {.markers = cache.empty() ? fs::path() : cache / "device-trials"});
    } catch (const Error& error) {
      trial->second = error;
    }
  }
  if (trial->second) throw Error(*trial->second);
}

/// The library of that kind of device, which was tried where it might crash.
fs::path usableLibrary(const std::string& kind, int index) {
  const fs::path path = libraryPath(kind);
  std::error_code ignored;
  require(fs::exists(path, ignored), errors::kDeviceUnavailable, [&] {
    return path.filename().string() + " is not installed" +
           (kind == "cuda" ? "; `npm install @jcs-ct/cuda` brings it" : " beside the addon; reinstall jcs-ct");
  });
  if (kind == "cuda" && hasGpuDriver()) tryOnce(path, index);
  return path;
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

  return namingDevice(device, [&] { return createDevice(usableLibrary(kind, index), index, threads); });
}

std::shared_ptr<Backend> createDevice(const fs::path& library, int index, int threads) {
  const auto create = symbol<CreateBackendFunction>(openLibrary(library), "jcsCreateBackend");
  return std::shared_ptr<Backend>(create(index, threads));
}

std::vector<DeviceInfo> listDevicesOf(const fs::path& library) {
  std::vector<DeviceInfo> devices;
  symbol<ListDevicesFunction>(openLibrary(library), "jcsListDevices")(devices);
  return devices;
}

void setPackageFolder(const std::string& kind, const std::string& folder) {
  const std::lock_guard lock(packageFoldersMutex());
  packageFolders()[kind] = folder;
}

std::vector<DeviceInfo> listDevices() {
  std::vector<DeviceInfo> devices;
  for (const std::string kind : {"cpu", "cuda"}) {
    try {
      const auto found = namingDevice(kind, [&] { return listDevicesOf(usableLibrary(kind, kEveryDevice)); });
      devices.insert(devices.end(), found.begin(), found.end());
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
