#include "backend/cpu/strided_loop.h"

namespace jcs::cpu {

AxisStrides axisStrides(const Operand& operand, const Shape& target) {
  const Shape& shape = operand.type.shape;
  AxisStrides strides{};
  int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (axis == shape.rank() - 2) stride = operand.rowStride;
    const bool repeats = shape[axis] == 1;
    strides[static_cast<size_t>(axis + target.rank() - shape.rank())] = repeats ? 0 : stride;
    if (axis < shape.rank() - 1) stride *= shape[axis];
  }
  return strides;
}

template <int kOperands>
StridedLoop<kOperands>::StridedLoop(const Shape& target, const std::array<AxisStrides, kOperands>& strides) {
  // Innermost first; an axis joins the one inside it when every operand steps over it as over one longer axis.
  std::array<int64_t, 4> extents{};
  std::array<std::array<int64_t, kOperands>, 4> steps{};
  size_t axes = 0;
  for (int axis = target.rank() - 1; axis >= 0; --axis) {
    if (target[axis] == 1) continue;
    std::array<int64_t, kOperands> step;
    for (size_t k = 0; k < kOperands; ++k) step[k] = strides[k][static_cast<size_t>(axis)];
    bool joins = axes > 0;
    for (size_t k = 0; joins && k < kOperands; ++k) joins = step[k] == extents[axes - 1] * steps[axes - 1][k];
    if (joins) {
      extents[axes - 1] *= target[axis];
    } else {
      extents[axes] = target[axis];
      steps[axes++] = step;
    }
  }
  // A line steps by 0 or 1; where the innermost axis does not, lines are single elements.
  bool lined = axes > 0;
  for (size_t k = 0; lined && k < kOperands; ++k) lined = steps[0][k] == 0 || steps[0][k] == 1;
  if (lined) {
    length_ = extents[0];
    lineStrides_ = steps[0];
  }
  const size_t first = lined ? 1 : 0;
  invariant(axes <= first + outer_.size(), "an elementwise loop has at most three outer axes");
  for (size_t i = first; i < axes; ++i) {
    outer_[2 - (i - first)] = extents[i];
    outerStrides_[2 - (i - first)] = steps[i];
    lines_ *= extents[i];
  }
  if (target.elements() == 0) lines_ = 0;
  blocksPerLine_ = (length_ + kBlock - 1) / kBlock;
  if (length_ == 0) lines_ = 0, length_ = blocksPerLine_ = 1;
}

template class StridedLoop<2>;
template class StridedLoop<3>;
template class StridedLoop<4>;

}  // namespace jcs::cpu
