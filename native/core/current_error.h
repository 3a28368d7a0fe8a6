#pragma once

#include "core/error.h"

namespace jcs {

/// The exception that is being handled as one of ours: memory or a thread that the system refused is OUT_OF_MEMORY,
/// whatever else is unknown INTERNAL. Call it in a handler.
Error currentError();

}  // namespace jcs
