#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/native/targets.h"

namespace jcs::fuzz {

/// Values out of bytes, one after the other; where these have ended, zeros.
class Source {
 public:
  explicit Source(Bytes bytes) : left_(bytes) {}

  bool isEmpty() const { return left_.empty(); }

  /// Any bits.
  template <typename T>
  T any() {
    T value{};
    fill({reinterpret_cast<uint8_t*>(&value), sizeof(T)});
    return value;
  }
  /// In [low, high], which takes a byte where that is enough.
  int64_t within(int64_t low, int64_t high) {
    const auto choices = static_cast<uint64_t>(high - low) + 1;
    const uint64_t drawn = choices <= 256 ? any<uint8_t>() : any<uint32_t>();
    return low + static_cast<int64_t>(drawn % choices);
  }
  bool flag() { return within(0, 1) == 1; }

  std::vector<uint8_t> bytes(int64_t count) {
    std::vector<uint8_t> taken(static_cast<size_t>(count));
    fill(taken);
    return taken;
  }
  void fill(std::span<uint8_t> target) {
    const size_t count = std::min(target.size(), left_.size());
    std::copy_n(left_.begin(), count, target.begin());
    std::fill(target.begin() + static_cast<std::ptrdiff_t>(count), target.end(), uint8_t{0});
    left_ = left_.subspan(count);
  }
  std::string text(int64_t longest) {
    const auto drawn = bytes(std::min<int64_t>(within(0, longest), static_cast<int64_t>(left_.size())));
    return {drawn.begin(), drawn.end()};
  }
  Bytes rest() const { return left_; }

 private:
  Bytes left_;
};

/// A safetensors file of that header, with as many bytes of data; in safetensors.cpp.
std::string safetensors(std::string_view header, size_t dataBytes);

}  // namespace jcs::fuzz
