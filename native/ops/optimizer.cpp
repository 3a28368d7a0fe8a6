#include "ops/optimizer.h"

namespace jcs {

std::vector<TensorType> SgdUpdate::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 4 && in[1].shape == in[0].shape && in[2].shape == in[0].shape && in[3].elements() == 1, in,
               "takes w, its gradient, its momentum and the learning rate");
  return {in[0], in[2]};
}

std::vector<TensorType> AdamUpdate::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 5 && in[1].shape == in[0].shape && in[2].shape == in[0].shape &&
                   in[3].shape == in[0].shape && in[4].shape == Shape{3},
               in, "takes w, its gradient, its two moments and [learningRate, 1 - beta1^t, 1 - beta2^t]");
  return {in[0], in[2], in[3]};
}

}  // namespace jcs
