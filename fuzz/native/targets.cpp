#include "fuzz/native/targets.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "core/error.h"

namespace jcs::fuzz {

std::span<const Target> targets() {
  static constexpr std::array kTargets{
      Target{"safetensors", fuzzSafetensors, 4096, 1'000'000},
      Target{"metadata", fuzzMetadata, 1024, 500'000},
      Target{"pretrained", fuzzPretrained, 1024, 3'000},  // which builds a network for each
      Target{"slices", fuzzSlices, 1024, 200'000},
      Target{"records", fuzzRecords, 1024, 500'000},
      Target{"masks", fuzzMasks, 1024, 1'000'000},
      Target{"onnx", fuzzOnnx, 256, 200'000},
  };
  return kTargets;
}

bool allowing(std::initializer_list<std::string_view> codes, const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (std::ranges::find(codes, error.code()) == codes.end())
      throw std::logic_error("it ended with " + error.code() + ": " + error.what());
    if (*error.what() == '\0') throw std::logic_error(error.code() + " says nothing");
    return false;
  }
}

void holds(bool condition, const char* what) {
  if (!condition) throw std::logic_error(std::string("does not hold: ") + what);
}

}  // namespace jcs::fuzz
