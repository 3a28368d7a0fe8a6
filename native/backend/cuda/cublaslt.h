#pragma once

#include <cublasLt.h>

#include <filesystem>
#include <span>
#include <string>

namespace jcs::cuda {

/// cuBLASLt, opened at run time: the functions that matrix products need, and a handle where there is a device.
class CuBlasLt {
 public:
  /// Opens the library and checks it. DEVICE_UNAVAILABLE when it is missing or of another major version.
  explicit CuBlasLt(std::span<const std::filesystem::path> folders);
  ~CuBlasLt();
  CuBlasLt(const CuBlasLt&) = delete;
  CuBlasLt& operator=(const CuBlasLt&) = delete;

  /// Creates the handle, on the current device.
  void open();
  cublasLtHandle_t handle() const { return handle_; }
  std::string versionText() const;
  /// A failed call becomes an error that names the call.
  void check(cublasStatus_t status, const char* call) const;

  decltype(&::cublasLtMatmul) matmul;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) matmulAlgoGetHeuristic;
  decltype(&::cublasLtMatmulDescCreate) matmulDescCreate;
  decltype(&::cublasLtMatmulDescDestroy) matmulDescDestroy;
  decltype(&::cublasLtMatmulDescSetAttribute) matmulDescSetAttribute;
  decltype(&::cublasLtMatrixLayoutCreate) matrixLayoutCreate;
  decltype(&::cublasLtMatrixLayoutDestroy) matrixLayoutDestroy;
  decltype(&::cublasLtMatmulPreferenceCreate) matmulPreferenceCreate;
  decltype(&::cublasLtMatmulPreferenceDestroy) matmulPreferenceDestroy;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) matmulPreferenceSetAttribute;

 private:
  decltype(&::cublasLtCreate) create_;
  decltype(&::cublasLtDestroy) destroy_;
  decltype(&::cublasLtGetStatusString) statusString_;

  std::string path_;
  size_t version_ = 0;
  cublasLtHandle_t handle_ = nullptr;
};

}  // namespace jcs::cuda
