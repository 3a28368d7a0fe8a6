#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>

namespace jcs::fuzz {

using Bytes = std::span<const uint8_t>;

/// Something that takes bytes which nobody vouches for. Whatever they are, it returns; a std::logic_error, as whatever
/// a sanitizer finds, is a fault of ours.
struct Target {
  std::string_view name;
  void (*run)(Bytes);
  size_t longest;  ///< bytes that are worth trying
  int64_t runs;    ///< inputs that npm run fuzz tries
};
std::span<const Target> targets();

// One file each.
void fuzzSafetensors(Bytes bytes);
void fuzzMetadata(Bytes bytes);
void fuzzPretrained(Bytes bytes);
void fuzzSlices(Bytes bytes);
void fuzzRecords(Bytes bytes);
void fuzzMasks(Bytes bytes);
void fuzzOnnx(Bytes bytes);

/// Runs `work`, which may end with an error of these codes and of no others. Whether it came to its end.
bool allowing(std::initializer_list<std::string_view> codes, const std::function<void()>& work);
/// What has to hold.
void holds(bool condition, const char* what);

}  // namespace jcs::fuzz
