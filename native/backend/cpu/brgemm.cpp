#include "backend/cpu/brgemm.h"

#include "backend/cpu/onednn.h"

namespace jcs::cpu {

dnnl::ukernel::brgemm makeBrgemm(int64_t rows, int64_t columns, int64_t depth, int64_t batch, int64_t lda, int64_t ldb,
                                 int64_t ldc, DType dtype, bool adds) {
  const auto type = onednnType(dtype);
  dnnl::ukernel::brgemm kernel(rows, columns, depth, batch, lda, ldb, ldc, type, type, dnnl::memory::data_type::f32,
                               true);
  if (!kernel) return kernel;
  kernel.set_add_C(adds);
  kernel.finalize();
  return kernel;
}

}  // namespace jcs::cpu
