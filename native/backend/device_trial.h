#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace jcs {

/// The program that a trial runs (native/trial), beside the backend's library.
inline constexpr const char* kTrialProgram = "jcs_device_trial";
/// It ends so when it could say itself why the device cannot be used.
inline constexpr int kTrialRefused = 2;
/// In place of a device's index: lists devices, makes nothing on any.
inline constexpr int kEveryDevice = -1;

struct TrialOptions {
  std::chrono::milliseconds limit = std::chrono::seconds(60);
  /// Where it is kept that a trial went well, until the machine starts anew; empty: nowhere.
  std::filesystem::path markers = {};
};

/// Uses the device of that index in a process of its own: a driver that crashes or hangs takes that one down and not
/// the caller's. Throws DEVICE_UNAVAILABLE saying what happened. What refuses the device in words does so here as well,
/// hence is no failure; nor is a program that is missing or cannot be started.
void tryDevice(const std::filesystem::path& library, int index, const TrialOptions& options);

/// Whether a kernel driver of NVIDIA's is there at all: without one there is nothing to try.
bool hasGpuDriver();

}  // namespace jcs
