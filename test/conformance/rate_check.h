#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace jcs::conformance {

struct RateResult {
  std::string name;     ///< program and op
  std::string failure;  ///< empty: fast enough
};

/// Whether every kernel of the networks at full width, inference and training, takes at most ten times what the machine
/// needs for its arithmetic and its memory traffic. The machine's rates are those of a large product and a large
/// addition, run in between. Catches what falls to a library's unoptimised code under whatever name.
std::vector<RateResult> checkRates(const std::shared_ptr<Backend>& backend);

}  // namespace jcs::conformance
