#pragma once

#include "graph/graph.h"

namespace jcs {

/// Begins the sum of x, float32 of any shape, over the ranks that train together; AllReduceFinish waits for it. What
/// lies between the two nodes is computed meanwhile. Its result is x, and read by that node alone.
class AllReduceStart : public OpOf<AllReduceStart> {
 public:
  static constexpr std::string_view kName = "all_reduce_start";

  void visit(auto&&) const {}
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  int inPlaceInput(int) const override { return 0; }
};

/// The sum; x itself where this process is alone. The loss of a training step is the sum of all ranks' losses, hence
/// the gradient of a sum over the ranks is the sum of their gradients.
class AllReduceFinish : public OpOf<AllReduceFinish> {
 public:
  static constexpr std::string_view kName = "all_reduce_finish";

  void visit(auto&&) const {}
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  int inPlaceInput(int) const override { return 0; }
};

/// Σ of x, float32 of any shape, over all ranks; x itself where this process is alone.
Value allReduce(Value x);

}  // namespace jcs
