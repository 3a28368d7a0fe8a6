#pragma once

#include <array>
#include <span>

#include "backend/cpu/cpu_device.h"

namespace jcs::cpu {

/// How many elements an operand advances for a step along each axis of `target`: 0 where it repeats or has extent 1.
using AxisStrides = std::array<int64_t, Shape::kMaxRank>;
AxisStrides axisStrides(const Operand& operand, const Shape& target);

/// A loop nest over a shape of which axes that lie behind one another in every operand are merged. What is left is
/// lines, contiguous (stride 1) or constant (stride 0) in every operand, under up to three outer axes; long lines are
/// cut into blocks, so that threads can share one line.
template <int kOperands>
class StridedLoop {
 public:
  StridedLoop(const Shape& target, const std::array<AxisStrides, kOperands>& strides);

  /// Calls `body(offsets, length)` for the blocks [begin, end).
  template <typename Body>
  [[gnu::always_inline]] void forEachBlock(int64_t begin, int64_t end, Body&& body) const {
    if (begin >= end) return;
    // Where the first block lies; from there on, counting replaces divisions, which short lines would notice.
    int64_t line = begin / blocksPerLine_, blockOfLine = begin - line * blocksPerLine_;
    std::array<int64_t, 3> index{};
    std::array<int64_t, kOperands> offsets{};
    for (int axis = 2; axis >= 0; --axis) {
      index[axis] = line % outer_[axis];
      line /= outer_[axis];
      for (int k = 0; k < kOperands; ++k) offsets[k] += index[axis] * outerStrides_[axis][k];
    }
    for (int64_t block = begin; block < end; ++block) {
      const int64_t start = blockOfLine * kBlock;
      std::array<int64_t, kOperands> at;
      for (int k = 0; k < kOperands; ++k) at[k] = offsets[k] + start * lineStrides_[k];
      body(at, start + kBlock < length_ ? kBlock : length_ - start);
      if (++blockOfLine < blocksPerLine_) continue;
      blockOfLine = 0;
      for (int axis = 2; axis >= 0; --axis) {
        for (int k = 0; k < kOperands; ++k) offsets[k] += outerStrides_[axis][k];
        if (++index[axis] < outer_[axis]) break;
        for (int k = 0; k < kOperands; ++k) offsets[k] -= index[axis] * outerStrides_[axis][k];
        index[axis] = 0;
      }
    }
  }

  int64_t blocks() const { return lines_ * blocksPerLine_; }
  /// Blocks that make a thread worth waking.
  int64_t grain() const { return std::max<int64_t>(1, kWorthAThread / std::min(length_, kBlock)); }
  /// 1, or 0 where the operand is constant along a line.
  int64_t lineStride(int operand) const { return lineStrides_[operand]; }

 private:
  static constexpr int64_t kBlock = 4096;
  static constexpr int64_t kWorthAThread = 16384;

  int64_t length_ = 1, lines_ = 1, blocksPerLine_ = 1;
  std::array<int64_t, 3> outer_{1, 1, 1};
  std::array<std::array<int64_t, kOperands>, 3> outerStrides_{};
  std::array<int64_t, kOperands> lineStrides_{};
};

extern template class StridedLoop<2>;
extern template class StridedLoop<3>;
extern template class StridedLoop<4>;

}  // namespace jcs::cpu
