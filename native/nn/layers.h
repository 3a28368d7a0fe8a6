#pragma once

#include "nn/batch_norm_layer.h"

namespace jcs {

/// Where a layer's weights start when no file provides them.
enum class WeightInit {
  kUniform,  ///< PyTorch's default: weight and bias U(−1/√fan_in, 1/√fan_in)
  kKaiming,  ///< weight N(0, √(2/fan_out)), bias 0: keeps the variance through a ReLU network of any depth
};

struct ConvOptions {
  int64_t channels = 0;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t dilation = 1;
  bool bias = true;
  WeightInit init = WeightInit::kKaiming;
  bool trainable = true;
  bool float32Output = false;  ///< for logits: float32 also in a bf16 program
};

/// N×H×W×C to N×⌈H/stride⌉×⌈W/stride⌉×channels, zero-padded by dilation·(kernel−1)/2 on every side; kernel odd.
/// Parameters: scope.weight O×I×k×k and, with `bias`, scope.bias O.
Value conv2d(const Scope& scope, Value x, const ConvOptions& options);

/// The authors' unit: convolution with bias, then ReLU; named scope.conv.*.
Value convRelu(const Scope& scope, Value x, const ConvOptions& options);

/// Their unit with batch norm: scope.conv.*, scope.bn.*, ReLU.
Value convBnRelu(const Scope& scope, Value x, const ConvOptions& options, const NormOptions& norm);

/// x N×I times scope.weight O×I plus scope.bias O.
Value linear(const Scope& scope, Value x, int64_t outputs);

/// N×H×W×C to N×C.
Value globalAveragePool(Value x);

/// 2×2 windows at stride 2; an odd last row or column is dropped.
Value halve(Value x);

/// x resized bilinearly (half-pixel centres) to the height and width of `like`.
Value resizeLike(Value x, Value like);
/// The same with corner pixels mapped onto each other, PyTorch's `align_corners`.
Value resizeAligned(Value x, Value like);

/// Squeeze-and-excitation (III-B2): every channel of x is scaled by a factor in (0, 1) that two linear layers,
/// scope.linear1 to `hidden` units and scope.linear2 back, derive from the channels' means.
Value squeezeExcitation(const Scope& scope, Value x, int64_t hidden);

/// The paper's reduction rate of 4.
inline int64_t reducedByFour(int64_t channels) { return channels < 4 ? 1 : channels / 4; }

}  // namespace jcs
