#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// PoolNet (Liu et al., CVPR 2019) with ResNet-50 and without its edge branch, as published (backseason/PoolNet): a
/// pyramid of poolings guides every level, and each level gathers pooled copies of itself. Both variants are the same
/// network; one side.
SegmenterOutputs poolnet(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

}  // namespace jcs::networks
