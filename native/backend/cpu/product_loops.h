#pragma once

#include "backend/cpu/product.h"

namespace jcs::cpu {

/// The sum of a batch of products by loops, of float32 and of bytes.
void multiplyByLoops(const ProductShape& shape, const std::byte* a, const std::byte* b, const ProductOffsets& offsets,
                     std::byte* c);

}  // namespace jcs::cpu
