#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace jcs::conformance {

struct FaultResult {
  std::string name;
  std::string failure;  ///< empty when the node check found the fault
};

/// Checks the node check: a backend that computes like the reference but for one fault has to be caught, with the
/// right complaint, and one without a fault has to pass.
std::vector<FaultResult> checkFaultsAreFound(const std::shared_ptr<Backend>& reference);

}  // namespace jcs::conformance
