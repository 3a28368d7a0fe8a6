#include "backend/cuda/cublaslt.h"

#include <cuda_runtime_api.h>

#include "backend/cuda/shared_library.h"
#include "core/error.h"

namespace jcs::cuda {

namespace {

constexpr int kMajor = CUDART_VERSION / 1000;

std::string textOf(size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace

CuBlasLt::CuBlasLt(std::span<const std::filesystem::path> folders) {
  const std::string remedy =
      "install cuBLAS of CUDA " + std::to_string(kMajor) +
      " (`pip install nvidia-cublas` in the active virtual environment, or `npm run setup -- --cuda` in a clone), or "
      "set JCS_CUDA_PATH to the folder that holds it";
  const SharedLibrary library("libcublasLt.so." + std::to_string(kMajor), folders, remedy);
  path_ = library.path();
  decltype(&::cublasLtGetVersion) getVersion;
  library.bind(getVersion, "cublasLtGetVersion");
  version_ = getVersion();
  require(version_ / 10000 == static_cast<size_t>(kMajor), errors::kDeviceUnavailable,
          [&] { return path_ + " is cuBLASLt " + textOf(version_) + "; " + remedy; });
  library.bind(statusString_, "cublasLtGetStatusString");
  library.bind(create_, "cublasLtCreate");
  library.bind(destroy_, "cublasLtDestroy");
  library.bind(matmul, "cublasLtMatmul");
  library.bind(matmulAlgoGetHeuristic, "cublasLtMatmulAlgoGetHeuristic");
  library.bind(matmulDescCreate, "cublasLtMatmulDescCreate");
  library.bind(matmulDescDestroy, "cublasLtMatmulDescDestroy");
  library.bind(matmulDescSetAttribute, "cublasLtMatmulDescSetAttribute");
  library.bind(matrixLayoutCreate, "cublasLtMatrixLayoutCreate");
  library.bind(matrixLayoutDestroy, "cublasLtMatrixLayoutDestroy");
  library.bind(matmulPreferenceCreate, "cublasLtMatmulPreferenceCreate");
  library.bind(matmulPreferenceDestroy, "cublasLtMatmulPreferenceDestroy");
  library.bind(matmulPreferenceSetAttribute, "cublasLtMatmulPreferenceSetAttribute");
}

CuBlasLt::~CuBlasLt() {
  if (handle_) destroy_(handle_);
}

void CuBlasLt::open() {
  const cublasStatus_t status = create_(&handle_);
  require(status == CUBLAS_STATUS_SUCCESS, errors::kDeviceUnavailable, [&] {
    return "cuBLASLt " + versionText() + " from " + path_ + " does not start: " + statusString_(status) +
           "; install one that fits the driver and the GPU";
  });
}

std::string CuBlasLt::versionText() const { return textOf(version_); }

void CuBlasLt::check(cublasStatus_t status, const char* call) const {
  require(status != CUBLAS_STATUS_ALLOC_FAILED, errors::kOutOfMemory,
          [&] { return std::string("cuBLASLt's ") + call + " found no memory; use a smaller batch or image"; });
  require(status == CUBLAS_STATUS_SUCCESS, errors::kInternal, [&] {
    return std::string("cuBLASLt's ") + call + " failed: " + statusString_(status) + "; please report this";
  });
}

}  // namespace jcs::cuda
