#pragma once

#include <array>
#include <span>

#include "backend/cuda/kernels/launcher.h"
#include "core/dtype.h"
#include "ops/activation.h"

namespace jcs::cuda {

enum class Map { kIdentity, kRelu, kSigmoid, kSqrt };
enum class Pair {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kReluGradient,         ///< a: dy, b: y
  kSigmoidGradient,      ///< a: dy, b: y
  kSqrtGradient,         ///< a: dy, b: y
  kSigmoidCrossEntropy,  ///< a: logits, b: targets
};

/// An operand of a loop nest: how far it advances along each of its axes, outermost first.
struct LoopOperand {
  DType dtype = DType::kF32;
  std::array<int64_t, 4> strides{};
};

struct LoopShape {
  int axes = 0;
  std::array<int64_t, 4> extents{};
};

/// y = scale · map(x).
void mapElements(const Launcher& launcher, const LoopShape& shape, Map map, float scale, const LoopOperand& y,
                 void* yData, const LoopOperand& x, const void* xData);
/// y = act(pair(a, b)). y may lie where a lies.
void pairElements(const Launcher& launcher, const LoopShape& shape, Pair pair, Activation activation,
                  const LoopOperand& y, void* yData, const LoopOperand& a, const void* aData, const LoopOperand& b,
                  const void* bData);

/// The same for pairs of float arrays of their own, dense, b as long as a or one number.
struct PairArrays {
  int64_t elements;
  bool repeatsB;
  const float *a, *b;
  float* y;
};
void pairArrays(const Launcher& launcher, Pair pair, Activation activation, std::span<const PairArrays> pairs);

/// dx = a + b where y > 0, else 0. dx may lie where a lies.
void reluGradientOfSum(const Launcher& launcher, const LoopShape& shape, DType dtype,
                       const std::array<LoopOperand, 4>& operands, void* dx, const void* a, const void* b,
                       const void* y);

/// y = act(x · scale + shift + residual) over rows, scale and shift per channel; a residual may be missing (null). y
/// may lie where x lies.
struct AffineRows {
  int64_t rows, channels;
  DType dtype;
  int64_t xStride, residualStride, yStride;
  Activation activation;
};
void affineRows(const Launcher& launcher, const AffineRows& a, const void* x, const float* scale, const float* shift,
                const void* residual, void* y);

/// y of `extents` is zero but for the box of x's extents at `begin`.
struct PadBox {
  DType dtype;
  std::array<int64_t, 4> extents, begin, xExtents, xStrides;  ///< outermost first; y is dense
};
void padElements(const Launcher& launcher, const PadBox& box, const void* x, void* y);

}  // namespace jcs::cuda
