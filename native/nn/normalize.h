#pragma once

#include <array>

#include "graph/graph.h"

namespace jcs {

/// (x − mean) / deviation of images N×H×W×3 in [0, 1].
Value normalize(Value images, const std::array<float, 3>& mean, const std::array<float, 3>& deviation);

}  // namespace jcs
