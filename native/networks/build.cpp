#include "networks/build.h"

#include "ops/elementwise.h"

namespace jcs::networks {

Value prediction(const SegmenterOutputs& outputs) {
  const auto& chosen = outputs.predictionSides;
  Value sum = sigmoid(outputs.sideLogits[chosen[0]]);
  for (size_t i = 1; i < chosen.size(); ++i) sum = add(sum, sigmoid(outputs.sideLogits[chosen[i]]));
  return chosen.size() == 1 ? sum : multiply(sum, 1.0f / static_cast<float>(chosen.size()));
}

}  // namespace jcs::networks
