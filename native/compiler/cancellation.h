#pragma once

#include <atomic>

#include "core/error.h"

namespace jcs::compiler {

/// Null is never cancelled.
inline void throwIfCancelled(const std::atomic<bool>* cancelled) {
  if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed))
    fail(errors::kCancelled, "the work was cancelled");
}

}  // namespace jcs::compiler
