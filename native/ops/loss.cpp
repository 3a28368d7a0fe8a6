#include "ops/loss.h"

#include "ops/elementwise.h"

namespace jcs {

std::vector<TensorType> Softmax::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].shape.rank() == 2, in, "takes logits N×K");
  return {in[0]};
}

std::vector<TensorType> SoftmaxCrossEntropy::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && in[0].shape.rank() == 2 && in[0].shape == in[1].shape, in,
               "takes logits N×K and target probabilities of the same shape");
  return {{in[0].dtype, {in[0].shape[0], 1}}};
}

std::vector<Value> SoftmaxCrossEntropy::gradient(const GradientContext& c) const {
  invariant(!c.wanted[1], "targets get no gradient");
  // The targets of a sample sum to one, hence softmax − target.
  return {multiply(subtract(softmax(c.inputs[0]), c.inputs[1]), c.outputGradients[0]), Value{}};
}

std::vector<TensorType> SigmoidCrossEntropy::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && in[0].shape == in[1].shape, in, "takes logits and targets of the same shape");
  return {in[0]};
}

std::vector<Value> SigmoidCrossEntropy::gradient(const GradientContext& c) const {
  invariant(!c.wanted[1], "targets get no gradient");
  return {multiply(subtract(sigmoid(c.inputs[0]), c.inputs[1]), c.outputGradients[0]), Value{}};
}

std::vector<TensorType> MinMaxNormalize::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1 && in[0].shape.rank() == 4 && in[0].shape[3] == 1, in, "takes N×H×W×1");
  return {in[0]};
}

std::vector<Value> MinMaxNormalize::gradient(const GradientContext& c) const {
  return {addNode(std::make_shared<MinMaxNormalizeGradient>(), {c.outputGradients[0], c.inputs[0]})};
}

std::vector<TensorType> MinMaxNormalizeGradient::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && in[0].shape == in[1].shape && in[0].shape.rank() == 4, in, "takes dy and x");
  return {in[1]};
}

Value softmax(Value logits) { return addNode(std::make_shared<Softmax>(), {logits}); }
Value softmaxCrossEntropy(Value logits, Value targets) {
  return addNode(std::make_shared<SoftmaxCrossEntropy>(), {logits, targets});
}
Value sigmoidCrossEntropy(Value logits, Value targets) {
  return addNode(std::make_shared<SigmoidCrossEntropy>(), {logits, targets});
}
Value minMaxNormalize(Value x) { return addNode(std::make_shared<MinMaxNormalize>(), {x}); }

}  // namespace jcs
