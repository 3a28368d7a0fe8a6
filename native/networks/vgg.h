#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// VGG-16 with batch norm, without its dense layers: conv1_2, conv2_2, conv3_3, conv4_3, conv5_3 with strides
/// 1, 2, 4, 8, 16. The authors' code drops the last pooling, so that theirs ends at 8 twice.
std::vector<Value> vgg16(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

/// Channels of its five blocks, before the width multiplier.
inline constexpr int64_t kVggChannels[] = {64, 128, 256, 512, 512};

}  // namespace jcs::networks
