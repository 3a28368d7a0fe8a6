#pragma once

#include <optional>
#include <string>

#include "nn/batch_norm_layer.h"
#include "nn/variant.h"

namespace jcs::networks {

/// Everything that decides a network's parameters and what it computes. Stored with every saved network.
struct NetworkSpec {
  std::string network;
  Variant variant = Variant::kPaper;
  double width = 1;                      ///< multiplies every channel count; 1 is the published network, at most 4
  bool efm = true;                       ///< JCS networks: the enhanced feature module (III-B2), table V
  bool aff = true;                       ///< JCS networks: attentive feature fusion (III-B3), table V
  std::string trunk = "res2net101-v1b";  ///< jcs-joint: the classifier whose features are combined
  /// Res2Net's: the strides of its last features, 32, 16 or 8. Below 32 the last stage, or the last two, keep their
  /// size and dilate their 3×3 instead, which leaves the parameters as they are and makes activation maps as much
  /// finer.
  int64_t outputStride = 32;
  /// Epsilon of the batch norms that the authors' code freezes, those of the VGG and Res2Net trunks. Theirs divide by
  /// the bare standard deviation, so their checkpoints need 0, the default of variant 'authors'; everything else is
  /// 1e-5: the paper's variant, ImageNet trunks, and whatever is trained from the start (`untrained`).
  std::optional<float> trunkEpsilon = std::nullopt;
  /// jcs-joint: that of the classifier's trunk, where it came from another file than the rest; else `trunkEpsilon`.
  std::optional<float> classifierEpsilon = std::nullopt;

  bool operator==(const NetworkSpec&) const = default;
};

/// Throws INVALID_ARGUMENT naming the field, its value and what is allowed.
void validate(const NetworkSpec& spec);

/// The spec for a network that no file fills: as `spec`, but for a trunk epsilon that can be trained.
NetworkSpec untrained(NetworkSpec spec);

float trunkEpsilon(const NetworkSpec& spec);
float classifierEpsilon(const NetworkSpec& spec);

/// 'paper' or 'authors'; anything else throws INVALID_ARGUMENT.
Variant parseVariant(const std::string& name);
std::string nameOf(Variant variant);

/// c(w) = max(8, 8·round(channels·width/8)), halves up: layers stay multiples of 8, and exact at width 1.
int64_t scaledChannels(int64_t channels, double width);

}  // namespace jcs::networks
