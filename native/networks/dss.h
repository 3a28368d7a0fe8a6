#pragma once

#include "networks/build.h"

namespace jcs::networks {

/// DSS (Hou et al., TPAMI 2019) as in AceCoooool/DSS-pytorch: a side output at each stage of VGG-16 and one behind it,
/// short connections from deeper sides to shallower ones, and a learnt fusion of the six. Both variants are the same
/// network. Sides: the fusion, then the six from the finest to the coarsest. The prediction is the mean of the
/// probabilities of the fusion and of the second to fourth of the six.
SegmenterOutputs dss(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options);

}  // namespace jcs::networks
