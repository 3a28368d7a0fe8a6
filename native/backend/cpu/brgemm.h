#pragma once

#include "core/dtype.h"
#include "oneapi/dnnl/dnnl_ukernel.hpp"

namespace jcs::cpu {

inline int64_t divideUp(int64_t value, int64_t by) { return (value + by - 1) / by; }
inline int64_t roundUp(int64_t value, int64_t multiple) { return divideUp(value, multiple) * multiple; }

/// A oneDNN ukernel: C (rows × columns, float32) = the sum of `batch` products of A (rows × depth) by B (depth ×
/// columns) of that type. Not yet generated; empty where the processor has none.
dnnl::ukernel::brgemm makeBrgemm(int64_t rows, int64_t columns, int64_t depth, int64_t batch, int64_t lda, int64_t ldb,
                                 int64_t ldc, DType dtype);

}  // namespace jcs::cpu
