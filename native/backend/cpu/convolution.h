#pragma once

#include "backend/cpu/onednn.h"
#include "ops/conv2d.h"

namespace jcs::cpu {

/// A convolution from x by weights O×I×R×S to y in oneDNN's terms; the weights' layout is the primitive's choice. The
/// gradients use the same description with x, y or the weights as result.
struct ConvolutionDescs {
  ConvolutionDescs(const Conv2dAttributes& conv, const Operand& x, const Operand& weights, const Operand& y);

  dnnl::memory::desc x, weights, y;
  dnnl::memory::dims strides, dilations, padding;
};

/// O×I×R×S weights as they lie in files, with the groups as an axis of their own where there are several.
dnnl::memory::desc plainWeightsDesc(const Shape& shape, DType dtype, int64_t groups);

/// Brings plain O×I×R×S weights into a primitive's layout and precision.
class WeightPacking {
 public:
  WeightPacking() = default;
  WeightPacking(const Prepare& p, const Operand& weights, int64_t groups, const dnnl::memory::desc& packed);

  int64_t bytes() const { return bytes_; }
  /// Equal for equal layouts.
  const std::string& form() const { return form_; }
  void run(const std::byte* source, std::byte* packed);

 private:
  BoundPrimitive reorder_;
  int64_t bytes_ = 0;
  std::string form_;
  HostBuffer scratch_;
};

}  // namespace jcs::cpu
