#include <cstdlib>

#include "backend/device_trial.h"
#include "backend/loader.h"

/// jcs_device_trial LIBRARY INDEX: opens a backend's library and makes the device of that index, or lists all of them
/// for -1. Ends with 0, or with 2 when the device says why it cannot be used; with a signal where a driver crashes.
int main(int count, char** arguments) {
  using namespace jcs;
  if (count != 3) return EXIT_FAILURE;
  const int index = std::atoi(arguments[2]);
  try {
    if (index == kEveryDevice) {
      listDevicesOf(arguments[1]);
    } else {
      createDevice(arguments[1], index)->freeBytes();
    }
  } catch (const Error&) {
    return kTrialRefused;
  }
  return EXIT_SUCCESS;
}
