#pragma once

#include "graph/graph.h"

namespace jcs {

/// SGD as PyTorch's: g += weightDecay · w; v = momentum · v + g; w −= learningRate · (nesterov ? g + momentum · v : v).
/// (w', v') from (w, g, v, learningRate scalar); the first step's v is 0, which gives PyTorch's first step too.
class SgdUpdate : public OpOf<SgdUpdate> {
 public:
  static constexpr std::string_view kName = "sgd_update";

  float momentum = 0.9f, weightDecay = 0;
  bool nesterov = false;

  void visit(auto&& attribute) const {
    attribute("momentum", momentum);
    attribute("weightDecay", weightDecay);
    attribute("nesterov", nesterov);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  int inPlaceInput(int output) const override { return output == 0 ? 0 : 2; }
};

/// Adam with L2 weight decay added to the gradient, as PyTorch's torch.optim.Adam, or `decoupled` from it, as its AdamW
/// (Loshchilov and Hutter 2019): w shrinks by learningRate · weightDecay · w, whatever its gradient was before.
/// (w', m', v') from (w, g, m, v, hyper) with hyper = [learningRate, 1 − beta1^t, 1 − beta2^t].
class AdamUpdate : public OpOf<AdamUpdate> {
 public:
  static constexpr std::string_view kName = "adam_update";

  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, weightDecay = 0;
  bool decoupled = false;

  void visit(auto&& attribute) const {
    attribute("beta1", beta1);
    attribute("beta2", beta2);
    attribute("epsilon", epsilon);
    attribute("weightDecay", weightDecay);
    attribute("decoupled", decoupled);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  int inPlaceInput(int output) const override { return output == 0 ? 0 : output + 1; }
};

}  // namespace jcs
