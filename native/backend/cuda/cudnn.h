#pragma once

#include <cudnn_backend.h>

#include <filesystem>
#include <span>
#include <string>

namespace jcs::cuda {

/// cuDNN, opened at run time: the functions of its backend (graph) API, and a handle where there is a device.
class CuDnn {
 public:
  static constexpr size_t kMinimumVersion = 90800;

  /// Opens the library and checks it. DEVICE_UNAVAILABLE when it is missing, of another major version, too old, or put
  /// together from parts of several versions.
  explicit CuDnn(std::span<const std::filesystem::path> folders);
  ~CuDnn();
  CuDnn(const CuDnn&) = delete;
  CuDnn& operator=(const CuDnn&) = delete;

  /// Creates the handle, on the current device, working on `stream`.
  void open(cudaStream_t stream);
  cudnnHandle_t handle() const { return handle_; }

  size_t version() const { return version_; }
  std::string versionText() const;
  const std::string& path() const { return path_; }

  /// A failed call becomes an error that names the call and cuDNN's own message.
  void check(cudnnStatus_t status, const char* call) const;

  // Backend API.
  decltype(&::cudnnBackendCreateDescriptor) createDescriptor;
  decltype(&::cudnnBackendDestroyDescriptor) destroyDescriptor;
  decltype(&::cudnnBackendFinalize) finalize;
  decltype(&::cudnnBackendSetAttribute) setAttribute;
  decltype(&::cudnnBackendGetAttribute) getAttribute;
  decltype(&::cudnnBackendExecute) execute;

 private:
  decltype(&::cudnnCreate) create_;
  decltype(&::cudnnDestroy) destroy_;
  decltype(&::cudnnSetStream) setStream_;
  decltype(&::cudnnGetErrorString) errorString_;
  decltype(&::cudnnGetLastErrorString) lastErrorString_;

  std::string path_;
  size_t version_ = 0;
  cudnnHandle_t handle_ = nullptr;
};

}  // namespace jcs::cuda
