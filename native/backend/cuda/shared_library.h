#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace jcs::cuda {

/// Where CUDA's libraries are looked for, in order; an empty path stands for the system's own search:
/// JCS_CUDA_PATH (folders, separated by ':'), the folder of this library, the active virtual or conda environment's
/// pip packages, what `npm run setup -- --cuda` fetched, the system, /usr/local/cuda*.
std::vector<std::filesystem::path> cudaLibraryFolders();

/// A library opened at run time, never closed. Symbols stay local: two versions may live in one process.
class SharedLibrary {
 public:
  /// Opens `file` from the first folder where that works. DEVICE_UNAVAILABLE with what was tried and `remedy`.
  SharedLibrary(const std::string& file, std::span<const std::filesystem::path> folders, const std::string& remedy);

  /// Points `function` at an exported symbol. DEVICE_UNAVAILABLE when there is none: the library is too old.
  template <typename Function>
  void bind(Function& function, const char* name) const {
    function = reinterpret_cast<Function>(symbol(name));
  }
  /// The file that was opened.
  const std::string& path() const { return path_; }

 private:
  void* symbol(const char* name) const;

  void* handle_ = nullptr;
  std::string path_;
};

}  // namespace jcs::cuda
