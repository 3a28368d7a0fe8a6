#include "cuda/absent_device.h"

#include <dlfcn.h>

#include "backend/cuda/shared_library.h"
#include "native/harness.h"

namespace jcs::test {

namespace {

constexpr char kH100[] = R"({
  "cudaDeviceId": 0, "deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900, "driverVer": 13000,
  "multiProcessorCount": 132, "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "l2CacheSize": 52428800,
  "totalGlobalMem": 85017493504, "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
  "warpSize": 32, "regsPerBlock": 65536, "maxRegistersPerSM": 65536, "maxThreadsPerBlock": 1024,
  "maxThreadsPerSM": 2048, "maxCtasPerSM": 32, "maxSharedMemoryPerBlock": 49152,
  "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "pciDeviceId": 0, "isTccDriver": 0,
  "supportCoopLaunch": 1
})";

}  // namespace

const cuda::CuDnn& cudnnOrSkip() {
  static const std::unique_ptr<cuda::CuDnn> cudnn = [] {
    if (!dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL))
      dlopen(JCS_FAKE_LIBRARIES "/driver/libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    try {
      return std::make_unique<cuda::CuDnn>(cuda::cudaLibraryFolders());
    } catch (const Error& error) {
      skip(error.what());
    }
  }();
  return *cudnn;
}

cuda::PlanTarget absentH100() {
  static const cuda::Descriptor properties = [] {
    cuda::Descriptor descriptor(cudnnOrSkip(), CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    descriptor.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, sizeof kH100, kH100);
    descriptor.finalize();
    return descriptor;
  }();
  return {cudnnOrSkip(), &properties};
}

}  // namespace jcs::test
