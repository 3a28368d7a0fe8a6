#pragma once

#include "graph/graph.h"

namespace jcs {

/// p = softmax(x) over the last axis.
class Softmax : public OpOf<Softmax> {
 public:
  static constexpr std::string_view kName = "softmax";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
};

/// Cross-entropy of softmax(logits N×K) against target distributions N×K: one value per sample, N×1. Targets may be
/// mixed labels (eq. 3); they get no gradient.
class SoftmaxCrossEntropy : public OpOf<SoftmaxCrossEntropy> {
 public:
  static constexpr std::string_view kName = "softmax_cross_entropy";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
};

/// −g·log σ(z) − (1−g)·log(1 − σ(z)) element by element, computed without overflow. Targets get no gradient.
class SigmoidCrossEntropy : public OpOf<SigmoidCrossEntropy> {
 public:
  static constexpr std::string_view kName = "sigmoid_cross_entropy";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
};

/// Each sample of x, N×H×W×1, shifted and scaled to [0, 1]; a constant one becomes 0 (eq. 4's "norm").
class MinMaxNormalize : public OpOf<MinMaxNormalize> {
 public:
  static constexpr std::string_view kName = "min_max_normalize";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
};

/// dx from (dy, x). Equal extremes share their gradient evenly, as PyTorch's amin and amax; a constant sample gets 0.
class MinMaxNormalizeGradient : public OpOf<MinMaxNormalizeGradient> {
 public:
  static constexpr std::string_view kName = "min_max_normalize_gradient";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
};

Value softmax(Value logits);
Value softmaxCrossEntropy(Value logits, Value targets);
Value sigmoidCrossEntropy(Value logits, Value targets);
Value minMaxNormalize(Value x);

}  // namespace jcs
