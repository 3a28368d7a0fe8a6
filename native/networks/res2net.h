#pragma once

#include "networks/build.h"

namespace jcs {

/// Res2Net v1b 26w×4s (Gao et al., TPAMI 2021). Returns A_1..A_5, the last maps of its five stages, with strides
/// 2, 4, 8, 16, 32 and c(64), 4·c(64), 4·c(128), 4·c(256), 4·c(512) channels.
std::vector<Value> res2net(const Scope& scope, Value image, const std::string& depth, double width,
                           const NormOptions& norm, bool trainable);

/// The classifier (III-A1): Res2Net, global average pooling, a linear layer to two classes. The authors' has no bias.
ClassifierOutputs res2netClassifier(const Scope& scope, Value image, const NetworkSpec& spec,
                                    const BuildOptions& options);

}  // namespace jcs
