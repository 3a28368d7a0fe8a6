#include "backend/cuda/cudnn.h"

#include "backend/cuda/shared_library.h"
#include "core/error.h"

namespace jcs::cuda {

namespace {

constexpr const char* kRemedy =
    "install it (`pip install nvidia-cudnn-cu13` in the active virtual environment, or `npm run setup -- --cuda` in a "
    "clone), or set JCS_CUDA_PATH to the folder that holds it";

std::string textOf(size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace

CuDnn::CuDnn(std::span<const std::filesystem::path> folders) {
  const SharedLibrary library("libcudnn.so.9", folders, kRemedy);
  path_ = library.path();
  decltype(&::cudnnGetVersion) getVersion;
  library.bind(getVersion, "cudnnGetVersion");
  version_ = getVersion();
  require(version_ / 10000 == kMinimumVersion / 10000 && version_ >= kMinimumVersion, errors::kDeviceUnavailable, [&] {
    return path_ + " is cuDNN " + textOf(version_) + ", and " + textOf(kMinimumVersion) +
           " or a later version 9 is needed; " + kRemedy;
  });
  library.bind(errorString_, "cudnnGetErrorString");
  library.bind(lastErrorString_, "cudnnGetLastErrorString");
  // cuDNN opens its parts by bare name, so that those of another installation may be the ones found.
  for (const char* part : {"cudnnGraphVersionCheck", "cudnnOpsVersionCheck", "cudnnCnnVersionCheck"}) {
    decltype(&::cudnnGraphVersionCheck) versionCheck;
    library.bind(versionCheck, part);
    const cudnnStatus_t status = versionCheck();
    require(status == CUDNN_STATUS_SUCCESS, errors::kDeviceUnavailable, [&] {
      return path_ + " (cuDNN " + textOf(version_) + ") and its parts do not fit together: " + part + " says " +
             errorString_(status) +
             "; several versions of cuDNN are installed or one is incomplete. Keep one, take others out of "
             "LD_LIBRARY_PATH, or set JCS_CUDA_PATH to the folder of a complete one";
    });
  }
  library.bind(createDescriptor, "cudnnBackendCreateDescriptor");
  library.bind(destroyDescriptor, "cudnnBackendDestroyDescriptor");
  library.bind(finalize, "cudnnBackendFinalize");
  library.bind(setAttribute, "cudnnBackendSetAttribute");
  library.bind(getAttribute, "cudnnBackendGetAttribute");
  library.bind(execute, "cudnnBackendExecute");
  library.bind(create_, "cudnnCreate");
  library.bind(destroy_, "cudnnDestroy");
  library.bind(setStream_, "cudnnSetStream");
}

CuDnn::~CuDnn() {
  if (handle_) destroy_(handle_);
}

void CuDnn::open(cudaStream_t stream) {
  const cudnnStatus_t status = create_(&handle_);
  require(status == CUDNN_STATUS_SUCCESS, errors::kDeviceUnavailable, [&] {
    return "cuDNN " + versionText() + " from " + path_ + " does not start: " + errorString_(status) +
           "; install one that fits the driver and the GPU";
  });
  check(setStream_(handle_, stream), "cudnnSetStream");
}

std::string CuDnn::versionText() const { return textOf(version_); }

void CuDnn::check(cudnnStatus_t status, const char* call) const {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return;
  if (status == CUDNN_STATUS_ALLOC_FAILED)
    fail(errors::kOutOfMemory, std::string("cuDNN's ") + call + " found no memory; use a smaller batch or image");
  char detail[512] = "";
  lastErrorString_(detail, sizeof detail);
  fail(errors::kInternal, std::string("cuDNN's ") + call + " failed: " + errorString_(status) +
                              (detail[0] ? std::string(" (") + detail + ")" : "") + "; please report this");
}

}  // namespace jcs::cuda
