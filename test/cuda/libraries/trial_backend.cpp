#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "backend/backend.h"
#include "core/error.h"

/// A backend that does to its process what JCS_TRIAL_BEHAVIOUR says when it is asked for its devices. Each time it
/// leaves a letter in the file that JCS_TRIAL_LOG names.

extern "C" __attribute__((visibility("default"))) int jcsBackendAbi() { return jcs::kBackendAbi; }

extern "C" __attribute__((visibility("default"))) jcs::Backend* jcsCreateBackend(int index, int) {
  jcs::fail(jcs::errors::kDeviceUnavailable, "there is no device " + std::to_string(index));
}

extern "C" __attribute__((visibility("default"))) void jcsListDevices(std::vector<jcs::DeviceInfo>&) {
  if (const char* log = std::getenv("JCS_TRIAL_LOG"))
    if (std::FILE* file = std::fopen(log, "a")) std::fputc('x', file), std::fclose(file);
  const std::string behaviour = JCS_TRIAL_BEHAVIOUR;
  if (behaviour == "crash") std::abort();
  if (behaviour == "exit") std::_Exit(3);
  while (behaviour == "hang") pause();
}
