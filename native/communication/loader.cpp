#include "communication/loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"

namespace jcs::communication {

namespace {

constexpr const char* kFile = "libjcs_mpi.so";

std::filesystem::path libraryPath() {
  if (const char* directory = std::getenv("JCS_BACKEND_DIR")) return std::filesystem::path(directory) / kFile;
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&openCommunicator), &info);
  return std::filesystem::path(info.dli_fname ? info.dli_fname : ".").parent_path() / kFile;
}

template <typename Function>
Function symbol(void* library, const char* name) {
  void* address = dlsym(library, name);
  require(address != nullptr, errors::kMpiUnavailable,
          [&] { return std::string(kFile) + " does not export " + name + "; reinstall jcs-ct"; });
  return reinterpret_cast<Function>(address);
}

void* openLibrary() {
  const std::filesystem::path path = libraryPath();
  std::error_code ignored;
  require(std::filesystem::exists(path, ignored), errors::kMpiUnavailable, [&] {
    return std::string(kFile) +
           " is not installed beside the addon: it was built without MPI; install Open MPI's headers "
           "(libopenmpi-dev) and build again, or train in one process";
  });
  // Global: components that MPI opens later look for its symbols among those of the process.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  require(library != nullptr, errors::kMpiUnavailable, [] {
    return std::string("MPI cannot be used: ") + dlerror() +
           "; install Open MPI (openmpi-bin), or train in one process";
  });
  const int abi = symbol<CommunicatorAbiFunction>(library, "jcsCommunicatorAbi")();
  require(abi == kCommunicatorAbi, errors::kMpiUnavailable, [&] {
    return std::string(kFile) + " has ABI " + std::to_string(abi) + ", this build needs " +
           std::to_string(kCommunicatorAbi) + "; install matching versions";
  });
  return library;
}

}  // namespace

Communicator& openCommunicator() {
  static Communicator* const communicator = symbol<CommunicatorFunction>(openLibrary(), "jcsCommunicator")();
  return *communicator;
}

}  // namespace jcs::communication
