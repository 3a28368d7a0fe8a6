#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// U-Net (Ronneberger et al., MICCAI 2015) as commonly implemented in PyTorch, the paper's comparator: padded
/// convolutions with batch norm, 2×2 transposed convolutions. Both variants are the same network; one side.
SegmenterOutputs unet(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

}  // namespace jcs::networks
