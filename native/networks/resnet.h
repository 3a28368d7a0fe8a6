#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// ResNet-50 (He et al., CVPR 2016) as PoolNet and EGNet use it: strides in a bottleneck's first 1×1, as in Caffe; the
/// last stage keeps its size and dilates its 3×3 by 2. Parameter names are torchvision's. Returns the last maps of stem
/// and four stages, with strides 2, 4, 8, 16, 16 and c(64), 4·c(64), 4·c(128), 4·c(256), 4·c(512) channels.
std::vector<Value> resnet50(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

}  // namespace jcs::networks
