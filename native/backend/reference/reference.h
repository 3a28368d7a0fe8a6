#pragma once

#include <memory>

#include "backend/backend.h"

namespace jcs {

/// The oracle: every op as plain loops over float64, written to be read. It defines what the other backends compute and
/// is never used for work. Operands are host memory, all of dtype f64 whatever an op's type rule says (state types as
/// f64 when preparing), and may be channel slices everywhere. Kernels write outputs that alias inputs only where
/// Op::inPlaceInput allows it.
std::shared_ptr<Backend> createReferenceBackend();

}  // namespace jcs
