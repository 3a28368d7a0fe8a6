#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// EGNet (Zhao et al., ICCV 2019) with ResNet-50, as published (JXingZhao/EGNet): saliency features top down, an edge
/// feature from the finest and the coarsest level, and the first guided by the second. Both variants are the same
/// network. Sides: the final map, the four guided ones and the four before guidance, each from the finest level to the
/// coarsest; and the edge.
SegmenterOutputs egnet(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

}  // namespace jcs::networks
