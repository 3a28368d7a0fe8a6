#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// The segmentation network whose encoder maps are combined with a classifier's features (III-B4, figure 4). The
/// classifier's trunk, `res2net.*`, is trained only with `trainTrunk`; frozen, it uses its stored statistics.
SegmenterOutputs jcsJoint(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

}  // namespace jcs::networks
