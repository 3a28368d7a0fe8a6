#pragma once

#include "networks/build.h"

namespace jcs {

/// The segmentation network of the paper (III-B, figure 2): VGG-16 and EFM, top-down decoder of AFFs, five sides.
SegmenterOutputs jcsSegmentation(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

/// Its encoder (III-B1, III-B2): M_E1..M_E6 with c(64), c(128), c(256), c(512), c(512), c(512) channels.
std::vector<Value> jcsEncoder(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

/// Its decoder (III-B3) over six such maps, and the side outputs at the image's size.
SegmenterOutputs jcsDecoder(const Scope& scope, const std::vector<Value>& encoded, Value image,
                            const NetworkSpec& spec);

}  // namespace jcs
