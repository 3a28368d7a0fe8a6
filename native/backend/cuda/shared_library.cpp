#include "backend/cuda/shared_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "core/cache_folder.h"
#include "core/error.h"

namespace jcs::cuda {

namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The subfolders of `parent` whose names start with `prefix`, the last in alphabetical order first: newest version.
std::vector<fs::path> subfolders(const fs::path& parent, const std::string& prefix) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (fs::directory_iterator entry(parent, ignored), end; !ignored && entry != end; entry.increment(ignored))
    if (entry->path().filename().string().starts_with(prefix)) found.push_back(entry->path());
  std::ranges::sort(found, std::ranges::greater{});
  return found;
}

/// pip's packages of NVIDIA keep their libraries in site-packages/nvidia/<package>/lib.
void addPipPackages(const fs::path& environment, std::vector<fs::path>& folders) {
  for (const fs::path& python : subfolders(environment / "lib", "python3"))
    for (const fs::path& package : subfolders(python / "site-packages" / "nvidia", ""))
      folders.push_back(package / "lib");
}

std::string fileOf(const void* address) {
  Dl_info info{};
  return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

}  // namespace

std::vector<fs::path> cudaLibraryFolders() {
  std::vector<fs::path> folders;
  std::istringstream given(environment("JCS_CUDA_PATH"));
  for (std::string folder; std::getline(given, folder, ':');)
    if (!folder.empty()) folders.insert(folders.end(), {folder, fs::path(folder) / "lib64", fs::path(folder) / "lib"});
  if (const fs::path own = fileOf(reinterpret_cast<const void*>(&cudaLibraryFolders)); own.has_parent_path())
    folders.push_back(own.parent_path());
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const std::string folder = environment(name); !folder.empty()) addPipPackages(folder, folders);
  if (const fs::path cache = cacheFolder(); !cache.empty()) addPipPackages(cache / "cuda13", folders);
  folders.emplace_back();
  for (const fs::path& toolkit : subfolders("/usr/local", "cuda"))
    folders.insert(folders.end(), {toolkit / "lib64", toolkit / "lib"});
  return folders;
}

SharedLibrary::SharedLibrary(const std::string& file, std::span<const fs::path> folders, const std::string& remedy) {
  std::string failures;
  for (const fs::path& folder : folders) {
    std::error_code ignored;
    const fs::path candidate = folder / file;
    if (!folder.empty() && !fs::exists(candidate, ignored)) continue;
    handle_ = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      path_ = candidate.string();
      return;
    }
    // What the system's search says about a file that is nowhere tells nothing.
    if (!folder.empty()) failures += std::string(failures.empty() ? "" : "; ") + dlerror();
  }
  fail(errors::kDeviceUnavailable, failures.empty() ? file + " was not found; " + remedy
                                                    : file + " cannot be opened (" + failures + "); " + remedy);
}

void* SharedLibrary::symbol(const char* name) const {
  void* address = dlsym(handle_, name);
  require(address != nullptr, errors::kDeviceUnavailable,
          [&] { return path_ + " does not export " + name + ": it is too old; install a newer one"; });
  return address;
}

}  // namespace jcs::cuda
