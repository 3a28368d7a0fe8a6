#include "ops/layout.h"

#include <algorithm>

#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

// Elements are moved whatever they are. What stands for numbers in convolutions of bytes is joined and cut too.

struct JoinChannels {
  void operator()(const Concat&, const auto& operands) const {
    const auto& y = operands.outputs[0];
    int64_t first = 0;
    for (const auto& x : operands.inputs) {
      for (int64_t row = 0; row < x.rows(); ++row)
        for (int64_t c = 0; c < x.channels(); ++c) y.at(row, first + c) = x.at(row, c);
      first += x.channels();
    }
  }
};

void split(const Split&, const Operands& operands) {
  const Input& x = operands.inputs[0];
  int64_t first = 0;
  for (const Output& y : operands.outputs) {
    for (int64_t row = 0; row < y.rows(); ++row)
      for (int64_t c = 0; c < y.channels(); ++c) y.at(row, c) = x.at(row, first + c);
    first += y.channels();
  }
}

/// The row-major position in `whole` of element `i` of the box of shape `extent` that starts at `begin`.
int64_t positionInWhole(int64_t i, const Shape& begin, const Shape& extent, const Shape& whole) {
  int64_t position = 0, stride = 1;
  for (int axis = whole.rank() - 1; axis >= 0; --axis) {
    position += (begin[axis] + i % extent[axis]) * stride;
    i /= extent[axis];
    stride *= whole[axis];
  }
  return position;
}

struct CutBox {
  void operator()(const Slice& op, const auto& operands) const {
    const auto& x = operands.inputs[0];
    const auto& y = operands.outputs[0];
    for (int64_t i = 0; i < y.elements(); ++i) y[i] = x[positionInWhole(i, op.begin, y.shape(), x.shape())];
  }
};

void pad(const Pad& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  y.fill(0);
  for (int64_t i = 0; i < x.elements(); ++i) y[positionInWhole(i, op.begin, x.shape(), y.shape())] = x[i];
}

void flip(const Flip& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  for (int64_t i = 0; i < y.elements(); ++i) {
    int64_t position = 0, stride = 1, rest = i;
    for (int axis = y.shape().rank() - 1; axis >= 0; --axis) {
      const int64_t extent = y.shape()[axis], index = rest % extent;
      position += (std::ranges::count(op.axes, axis) ? extent - 1 - index : index) * stride;
      rest /= extent;
      stride *= extent;
    }
    y[i] = x[position];
  }
}

void reshape(const Reshape&, const Operands& operands) {
  const Output& y = operands.outputs[0];
  for (int64_t i = 0; i < y.elements(); ++i) y[i] = operands.inputs[0][i];
}

template <typename OpType, typename Move>
void addMoves(KernelRegistry<Oracle>& kernels) {
  addLoops<OpType>(kernels, [](const OpType& op, const Operands& operands) {
    if (operands.inputOperands[0].type.dtype == DType::kU8)
      Move()(op, operands.bytes());
    else
      Move()(op, operands);
  });
}

}  // namespace

void addLayoutKernels(KernelRegistry<Oracle>& kernels) {
  addMoves<Concat, JoinChannels>(kernels);
  addLoops<Split>(kernels, split);
  addMoves<Slice, CutBox>(kernels);
  addLoops<Pad>(kernels, pad);
  addLoops<Flip>(kernels, flip);
  addLoops<Reshape>(kernels, reshape);
}

}  // namespace jcs::reference
