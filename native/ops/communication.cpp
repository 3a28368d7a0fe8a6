#include "ops/communication.h"

namespace jcs {

std::vector<TensorType> AllReduceStart::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1, in, "takes x");
  return {in[0]};
}

std::vector<Value> AllReduceStart::gradient(const GradientContext& c) const { return {c.outputGradients[0]}; }

std::vector<TensorType> AllReduceFinish::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1, in, "takes what all_reduce_start began");
  return {in[0]};
}

std::vector<Value> AllReduceFinish::gradient(const GradientContext& c) const {
  return {allReduce(c.outputGradients[0])};
}

Value allReduce(Value x) {
  return addNode(std::make_shared<AllReduceFinish>(), {addNode(std::make_shared<AllReduceStart>(), {x})});
}

}  // namespace jcs
