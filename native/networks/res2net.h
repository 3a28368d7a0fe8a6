#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// Which Res2Net v1b 26w×4s (Gao et al., TPAMI 2021).
struct Res2netOptions {
  std::string depth;  ///< 'res2net50-v1b' or 'res2net101-v1b'
  double width = 1;
  int64_t outputStride = 32;  ///< 32, 16 or 8
  NormOptions norm;
  bool trainable = true;
};

/// Returns A_1..A_5, the last maps of its five stages, with strides 2, 4, 8, 16, 32 and c(64), 4·c(64), 4·c(128),
/// 4·c(256), 4·c(512) channels. Stages that would go beyond the output stride keep their size; from their second block
/// on their 3×3 are dilated, so that each still sees what it saw. The block whose stride is dropped has the dilation of
/// the stage before, as PyTorch's `replace_stride_with_dilation` has it.
std::vector<Value> res2net(const Scope& scope, Value image, const Res2netOptions& options);

/// The classifier (III-A1): Res2Net, global average pooling, a linear layer to two classes. The authors' has no bias.
ClassifierOutputs res2netClassifier(const Scope& scope, Value image, const NetworkSpec& spec,
                                    const BuildOptions& options);

}  // namespace jcs::networks
