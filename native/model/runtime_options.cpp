#include "model/runtime_options.h"

#include <algorithm>
#include <array>

namespace jcs::model {

namespace {

constexpr int kMostThreads = 1024;

}  // namespace

DType chooseActivation(const std::string& precision, const Backend& backend) {
  constexpr std::array kPrecisions{"auto", "fp32", "tf32", "bf16", "int8"};
  require(std::ranges::find(kPrecisions, precision) != kPrecisions.end(), errors::kInvalidArgument,
          [&] { return "precision '" + precision + "' is unknown; use 'auto', 'fp32', 'tf32', 'bf16' or 'int8'"; });
  // What a network of bytes has beside them is as of 'auto'.
  const bool chooses = precision == "auto" || precision == "int8";
  const bool wanted = precision == "bf16" || (chooses && backend.device().bf16);
  return wanted && backend.supports(DType::kBF16) ? DType::kBF16 : DType::kF32;
}

bool choosesBytes(const std::string& precision, const Backend& backend) {
  const bool wanted = precision == "int8" || (precision == "auto" && backend.device().int8);
  return wanted && backend.supports(DType::kU8);
}

int chooseThreads(int threads, const DeviceInfo& device) {
  require(threads >= 0 && threads <= kMostThreads, errors::kInvalidArgument, [&] {
    return "threads must be between 1 and " + std::to_string(kMostThreads) + ", got " + std::to_string(threads);
  });
  return threads == 0 ? device.threads : std::min(threads, device.threads);
}

}  // namespace jcs::model
