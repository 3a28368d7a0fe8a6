#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"

namespace jcs::conformance {

struct PyTorchResult {
  std::string name;
  std::string failure;  ///< empty when the reference agrees with PyTorch
};

/// The reference backend against single ops that PyTorch computed (test/fixtures/op_fixtures.py): an oracle is only as
/// good as what it was checked with, and its gradient check says nothing about which function it is the gradient of.
std::vector<PyTorchResult> checkAgainstPyTorch(Backend& reference, const std::string& filter);

}  // namespace jcs::conformance
