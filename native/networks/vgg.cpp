#include "networks/vgg.h"

#include "nn/layers.h"

namespace jcs::networks {

std::vector<Value> vgg16(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  constexpr int kConvolutions[] = {2, 2, 3, 3, 3};
  const NodeLabel label = scope.label();
  const NormOptions norm = trunkNorm(spec, options);
  std::vector<Value> maps;
  Value x = image;
  for (int block = 0; block < 5; ++block) {
    if (block > 0 && (block < 4 || spec.variant == Variant::kPaper)) x = halve(x);
    const int64_t channels = scaledChannels(kVggChannels[block], spec.width);
    for (int i = 1; i <= kConvolutions[block]; ++i)
      x = convBnRelu(scope / ("conv" + std::to_string(block + 1) + "_" + std::to_string(i)), x, {.channels = channels},
                     norm);
    maps.push_back(x);
  }
  return maps;
}

}  // namespace jcs::networks
