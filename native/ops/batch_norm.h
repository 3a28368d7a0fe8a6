#pragma once

#include "graph/graph.h"
#include "ops/activation.h"

namespace jcs {

/// Batch normalisation with the batch's own statistics: (y, mean, variance) from (x, gamma, beta); the variance is the
/// biased one, over all but the channel axis. With a single value per channel: BATCH_NORM_BATCH_TOO_SMALL. With a
/// fourth operand of x's shape, the residual, y = act(norm(x) + residual).
class BatchNorm : public OpOf<BatchNorm> {
 public:
  static constexpr std::string_view kName = "batch_norm";

  float epsilon = 1e-5f;
  // Set by the compiler's fusion only.
  Activation activation = Activation::kNone;
  bool residual = false;

  void visit(auto&& attribute) const {
    attribute("epsilon", epsilon);
    attribute("residual", residual);
    attribute("activation", activation);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int input) const override {
    return input == 0 || input == 3 ? Precision::kFollow : Precision::kFloat32;
  }
};

/// (dx, dgamma, dbeta) from (dy, x, gamma, mean, variance), or from those and beta where dy is the gradient of relu(y):
/// it counts where y > 0, and y is computed again rather than read.
class BatchNormGradient : public OpOf<BatchNormGradient> {
 public:
  static constexpr std::string_view kName = "batch_norm_gradient";

  float epsilon = 1e-5f;
  bool relu = false;  ///< set by the compiler's fusion only

  void visit(auto&& attribute) const {
    attribute("epsilon", epsilon);
    attribute("relu", relu);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int input) const override {
    return input == 0 ? Precision::kGradient : input == 1 ? Precision::kFollow : Precision::kFloat32;
  }
};

/// scale = gamma / sqrt(variance + epsilon) and shift = beta − mean · scale, so that stored statistics become an
/// Affine. Outputs (scale, shift) from (gamma, beta, mean, variance). With epsilon 0 a zero variance gives INF, hence
/// loaders check it.
class BatchNormScaleShift : public OpOf<BatchNormScaleShift> {
 public:
  static constexpr std::string_view kName = "batch_norm_scale_shift";

  float epsilon = 1e-5f;

  void visit(auto&& attribute) const { attribute("epsilon", epsilon); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
};

struct BatchNormResult {
  Value y, mean, variance;
};
BatchNormResult batchNorm(Value x, Value gamma, Value beta, float epsilon);
/// Normalises with stored statistics.
Value batchNormInference(Value x, Value gamma, Value beta, Value mean, Value variance, float epsilon);

}  // namespace jcs
