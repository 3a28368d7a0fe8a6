#include "nn/normalize.h"

#include "ops/elementwise.h"

namespace jcs {

Value normalize(Value images, const std::array<float, 3>& mean, const std::array<float, 3>& deviation) {
  std::array<float, 3> scale, shift;
  for (size_t c = 0; c < 3; ++c) {
    scale[c] = 1 / deviation[c];
    shift[c] = -mean[c] / deviation[c];
  }
  Graph& graph = *images.graph;
  return affine(images, graph.constant(Tensor::fromFloats({3}, scale)), graph.constant(Tensor::fromFloats({3}, shift)));
}

}  // namespace jcs
