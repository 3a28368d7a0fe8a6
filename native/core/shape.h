#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "core/error.h"

namespace jcs {

/// Extents of a tensor of rank 0..4, outermost first. Activations are N×H×W×C (channels last), vectors over samples
/// N×C, convolution weights O×I×H×W and dense weights O×I (PyTorch's order, so that files load as they are).
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return extents_[static_cast<size_t>(axis)]; }
  int64_t& operator[](int axis) { return extents_[static_cast<size_t>(axis)]; }
  std::span<const int64_t> extents() const { return {extents_.data(), static_cast<size_t>(rank_)}; }
  /// Product of the extents; 1 for a scalar.
  int64_t elements() const;
  /// The innermost extent: channels of an activation, 1 for a scalar.
  int64_t channels() const { return rank_ == 0 ? 1 : (*this)[rank_ - 1]; }
  /// Elements per channel: N·H·W of an activation.
  int64_t rows() const { return channels() == 0 ? 0 : elements() / channels(); }

  bool operator==(const Shape& other) const;
  std::string toString() const;

 private:
  std::array<int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace jcs
