#pragma once

#include <optional>
#include <string>
#include <vector>

#include "networks/spec.h"

namespace jcs::networks {

/// The state of `spec`'s network that a tensor of an ImageNet file fills, or nothing when the tensor is not used.
/// Understood are torchvision's vgg16_bn ('features.N.*'), the same with the authors' names ('conv1_1.conv.*'), its
/// vgg16 for DSS, Res2Net v1b files ('layer1.0.conv1.*'), and ResNet-50 for PoolNet and EGNet; a 'module.' prefix is
/// dropped, and so are classifier heads and num_batches_tracked. Whether the state exists, with the tensor's shape, is
/// the loader's to check; it should refuse a file that leaves part of a trunk unfilled (torchvision's plain vgg16
/// shares some indices with vgg16_bn).
std::optional<std::string> backboneParameterName(const NetworkSpec& spec, const std::string& fileName);

/// What every state's name starts with that such files fill together: 'vgg16.', 'res2net.', for a classifier
/// everything but its head, hence ''; empty for networks without a trunk.
std::vector<std::string> backbonePrefixes(const NetworkSpec& spec);

}  // namespace jcs::networks
