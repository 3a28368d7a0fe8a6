#pragma once

#include <string>

#include "backend/backend.h"
#include "conformance/case.h"

namespace jcs::conformance {

/// Compares the gradient that autodiff builds with central differences of the loss, both in float64 on the reference
/// backend: along a random direction, and for single elements of each input. Empty when they agree, else what differs.
std::string checkGradient(Backend& reference, const Case& row);

}  // namespace jcs::conformance
