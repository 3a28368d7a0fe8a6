#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// The segmentation network of the paper (III-B, figure 2): VGG-16 and EFM, top-down decoder of AFFs, five sides.
///
/// Its convolutions start from Kaiming's distribution, although the authors' decoder has PyTorch's default: without
/// batch norm that default shrinks the activations at every layer, which a pretrained VGG forgives and training from
/// the start does not (72 Adam steps on synthetic blobs at width 1/8: held-out Dice 0.88 against 0.14).
SegmenterOutputs jcsSegmentation(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

/// Its encoder (III-B1, III-B2): M_E1..M_E6 with c(64), c(128), c(256), c(512), c(512), c(512) channels.
std::vector<Value> jcsEncoder(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

/// Its decoder (III-B3) over six such maps, and the side outputs at the image's size.
SegmenterOutputs jcsDecoder(const Scope& scope, const std::vector<Value>& encoded, Value image,
                            const NetworkSpec& spec);

}  // namespace jcs::networks
