#pragma once

#include "core/alignment.h"
#include "core/dtype.h"
#include "oneapi/dnnl/dnnl_ukernel.hpp"

namespace jcs::cpu {

/// A oneDNN ukernel: C (rows × columns, float32) = the sum of `batch` products of A (rows × depth) by B (depth ×
/// columns) of that type, added to what is there if `adds`. Not yet generated; empty where the processor has none.
dnnl::ukernel::brgemm makeBrgemm(int64_t rows, int64_t columns, int64_t depth, int64_t batch, int64_t lda, int64_t ldb,
                                 int64_t ldc, DType dtype, bool adds = false);

}  // namespace jcs::cpu
