#include "backend/cuda/cuda_device.h"

#define JCS_EXPORT extern "C" __attribute__((visibility("default")))

JCS_EXPORT int jcsBackendAbi() { return jcs::kBackendAbi; }

JCS_EXPORT jcs::Backend* jcsCreateBackend(int index, int) {
  jcs::fail(jcs::errors::kDeviceUnavailable, "device 'cuda:" + std::to_string(index) + "' cannot be used: not yet");
}
