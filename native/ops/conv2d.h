#pragma once

#include <optional>

#include "graph/graph.h"
#include "ops/activation.h"

namespace jcs {

struct Conv2dAttributes {
  int64_t stride = 1;
  int64_t padding = 0;  ///< zeros on every side
  int64_t dilation = 1;
  int64_t groups = 1;
  bool operator==(const Conv2dAttributes&) const = default;
  bool areUsable() const { return stride > 0 && padding >= 0 && dilation > 0 && groups > 0; }
  void visit(auto&& attribute) const {
    attribute("stride", stride);
    attribute("padding", padding);
    attribute("dilation", dilation);
    attribute("groups", groups);
  }
  /// Extent of the output along one axis.
  int64_t outputExtent(int64_t input, int64_t kernel) const {
    return (input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

/// y[n,p,q,o] = act(Σ x[n, p·stride − padding + r·dilation, …, i] · w[o,i,r,s] + bias[o] + residual[n,p,q,o]).
/// Inputs: x N×H×W×I, w O×(I/groups)×R×S, then bias O if `bias`, then residual N×P×Q×O if `residual`.
/// Builders use neither `activation` nor `residual`: the compiler's fusion sets them, after differentiation.
class Conv2d : public OpOf<Conv2d> {
 public:
  static constexpr std::string_view kName = "conv2d";

  Conv2dAttributes conv;
  bool bias = false;
  bool residual = false;
  Activation activation = Activation::kNone;
  bool float32Output = false;  ///< keeps float32 results in a bf16 program: logits, and sums that feed losses

  void visit(auto&& attribute) const {
    attribute("conv", conv);
    attribute("bias", bias);
    attribute("residual", residual);
    attribute("activation", activation);
    attribute("float32Output", float32Output);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int input) const override;
  double flops(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
  int biasInput() const { return bias ? 2 : -1; }
  int residualInput() const { return residual ? (bias ? 3 : 2) : -1; }
};

/// dx from (dy, w). Also the forward pass of a transposed convolution, of which `outputHeight`×`outputWidth` is the
/// result's size.
class Conv2dInputGradient : public OpOf<Conv2dInputGradient> {
 public:
  static constexpr std::string_view kName = "conv2d_input_gradient";

  Conv2dAttributes conv;
  int64_t outputHeight = 0, outputWidth = 0;

  void visit(auto&& attribute) const {
    attribute("conv", conv);
    attribute("outputHeight", outputHeight);
    attribute("outputWidth", outputWidth);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int input) const override { return input == 0 ? Precision::kActivation : Precision::kFloat32; }
  double flops(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

/// (dw) or, with `bias`, (dw, db) from (x, dy). Both are sums over batch and pixels, kept in float32.
class Conv2dWeightGradient : public OpOf<Conv2dWeightGradient> {
 public:
  static constexpr std::string_view kName = "conv2d_weight_gradient";

  Conv2dAttributes conv;
  int64_t kernelHeight = 1, kernelWidth = 1;
  bool bias = false;

  void visit(auto&& attribute) const {
    attribute("conv", conv);
    attribute("kernelHeight", kernelHeight);
    attribute("kernelWidth", kernelWidth);
    attribute("bias", bias);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kActivation; }
  double flops(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

Value conv2d(Value x, Value weight, std::optional<Value> bias, Conv2dAttributes attributes, bool float32Output = false);
/// Transposed convolution without output padding: weight I×O×R×S (PyTorch's ConvTranspose2d), result
/// (H−1)·stride − 2·padding + R high.
Value convTranspose2d(Value x, Value weight, Conv2dAttributes attributes);

}  // namespace jcs
