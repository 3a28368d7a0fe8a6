#include "cuda/absent_device.h"

#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "backend/cuda/shared_library.h"
#include "native/harness.h"

namespace jcs::test {

namespace {

struct Device {
  std::string name;
  int version, multiprocessors, clockKHz, memoryClockKHz, threadsPerMultiprocessor, blocksPerMultiprocessor, optInBytes;
  int64_t l2Bytes, memoryBytes;
};

/// As their data sheets and cudaGetDeviceProperties describe them.
const Device kDevices[] = {
    {"NVIDIA A100-SXM4-80GB", 800, 108, 1410000, 1593000, 2048, 32, 166912, 41943040, 85097971712},
    {"NVIDIA GeForce RTX 4090", 890, 128, 2520000, 10501000, 1536, 24, 101376, 75497472, 25393692672},
    {"NVIDIA H100 80GB HBM3", 900, 132, 1980000, 2619000, 2048, 32, 232448, 52428800, 85017493504},
    {"NVIDIA B200", 1000, 148, 1965000, 3996000, 2048, 32, 232448, 132644864, 191503859712},
    {"NVIDIA GeForce RTX 5090", 1200, 170, 2407000, 14001000, 1536, 24, 101376, 100663296, 33669251072},
};

std::string jsonOf(const Device& d) {
  std::ostringstream json;
  json << R"({"cudaDeviceId": 0, "deviceName": ")" << d.name << R"(", "deviceVer": )" << d.version
       << R"(, "driverVer": 13000, "multiProcessorCount": )" << d.multiprocessors << R"(, "smClockRateKHz": )"
       << d.clockKHz << R"(, "memClockRateKHz": )" << d.memoryClockKHz << R"(, "l2CacheSize": )" << d.l2Bytes
       << R"(, "totalGlobalMem": )" << d.memoryBytes
       << R"(, "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "warpSize": 32,)"
       << R"( "regsPerBlock": 65536, "maxRegistersPerSM": 65536, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": )"
       << d.threadsPerMultiprocessor << R"(, "maxCtasPerSM": )" << d.blocksPerMultiprocessor
       << R"(, "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": )" << d.optInBytes
       << R"(, "reservedSharedMemoryPerBlock": 1024, "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1})";
  return json.str();
}

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

cuda::PlanTarget absentDevice(int computeCapability) {
  const cuda::CuDnn& cudnn = cudnnOrSkip();  // outlives what is described with it
  static std::map<int, cuda::Descriptor> described;
  if (const auto found = described.find(computeCapability); found != described.end()) return {cudnn, &found->second};
  const auto device = std::ranges::find(kDevices, 10 * computeCapability, &Device::version);
  invariant(device != std::end(kDevices), "no device of that compute capability is described");
  cuda::Descriptor descriptor(cudnn, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  const std::string json = jsonOf(*device);
  descriptor.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(json.size()) + 1,
                 json.c_str());
  descriptor.finalize();
  return {cudnn, &described.emplace(computeCapability, std::move(descriptor)).first->second};
}

cuda::PlanTarget absentH100() { return absentDevice(90); }

}  // namespace jcs::test
