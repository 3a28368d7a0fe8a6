#pragma once

#include <memory>

#include "backend/backend.h"

namespace jcs::reference {

/// The oracle: every op as plain loops over float64, written to be read. It defines what the other backends compute and
/// is never used for work. Operands are host memory and may be channel slices everywhere. All of them are f64, also
/// where an op's type rule fixes another dtype: rounding is what the other backends add. An output may lie in an
/// input's memory only where Op::inPlaceInput allows it.
std::shared_ptr<Backend> createBackend();

}  // namespace jcs::reference
