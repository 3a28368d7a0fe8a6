#pragma once

#include <span>
#include <utility>
#include <vector>

#include "core/alignment.h"
#include "core/dtype.h"
#include "oneapi/dnnl/dnnl_ukernel.hpp"

namespace jcs::cpu {

/// A oneDNN ukernel: C (rows × columns) = the sum of `batch` products of A (rows × depth) by B (depth × columns) of
/// that type, added to what is there if `adds`. C is float32; of kU8 A are unsigned bytes, B signed ones, and C int32.
/// Not yet generated; empty where the processor has none.
dnnl::ukernel::brgemm makeBrgemm(int64_t rows, int64_t columns, int64_t depth, int64_t batch, int64_t lda, int64_t ldb,
                                 int64_t ldc, DType dtype, bool adds = false);

/// Whether the processor has such ukernels that read B as it is packed here: four bytes of neighbours along the depth
/// side by side, which one number of float32 fills, two of bf16 and four of kU8.
bool hasBrgemm(DType dtype);

/// Whether the processor multiplies bytes by signed bytes and sums their products in 32 bits without saturating: where
/// it does not, loops do.
bool multipliesBytes();

/// Offsets of A and B, in bytes, for each product of a batch.
using ProductOffsets = std::vector<std::pair<dnnl::memory::dim, dnnl::memory::dim>>;

/// Such products, ready to be computed: by a ukernel, or where no instruction multiplies bytes, of these by loops.
/// `depth` is a multiple of how many numbers lie side by side in B.
class BatchedProduct {
 public:
  BatchedProduct() = default;
  BatchedProduct(int64_t rows, int64_t columns, int64_t depth, int64_t batch, int64_t lda, int64_t ldb, int64_t ldc,
                 DType dtype);

  explicit operator bool() const { return rows_ > 0; }
  int64_t scratchBytes() const { return ukernel_ ? static_cast<int64_t>(ukernel_.get_scratchpad_size()) : 0; }
  /// Before a product that the thread has not computed last.
  void configure() const {
    if (ukernel_) ukernel_.set_hw_context();
  }
  /// After a thread's last one.
  static void release() { dnnl::ukernel::brgemm::release_hw_context(); }
  void compute(const std::byte* a, const std::byte* b, const ProductOffsets& offsets, std::byte* c,
               std::byte* scratch) const;

 private:
  dnnl::ukernel::brgemm ukernel_;  ///< none: loops
  int64_t rows_ = 0, columns_ = 0, depth_ = 0, lda_ = 0, ldb_ = 0, ldc_ = 0;
};

}  // namespace jcs::cpu
