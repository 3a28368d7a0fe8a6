#pragma once

#include <optional>

#include "graph/graph.h"
#include "ops/activation.h"

namespace jcs {

/// y = act(op(a) · op(b) + bias), matrices M×K and K×N, each optionally stored transposed; bias N. float32.
class Matmul : public OpOf<Matmul> {
 public:
  static constexpr std::string_view kName = "matmul";

  bool transposeA = false, transposeB = false, bias = false;
  Activation activation = Activation::kNone;  ///< set by the compiler's fusion only

  void visit(auto&& attribute) const {
    attribute("transposeA", transposeA);
    attribute("transposeB", transposeB);
    attribute("bias", bias);
    attribute("activation", activation);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  double flops(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

Value matmul(Value a, Value b, bool transposeA = false, bool transposeB = false,
             std::optional<Value> bias = std::nullopt);
/// x N×I times weight O×I (PyTorch's Linear) plus bias O.
Value dense(Value x, Value weight, std::optional<Value> bias);

}  // namespace jcs
