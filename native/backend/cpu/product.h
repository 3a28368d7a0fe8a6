#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/dtype.h"

namespace jcs::cpu {

/// Whether oneDNN has ukernels for products of this type here that read B as it is packed for them: four bytes of
/// neighbours along the depth side by side, which one number of float32 fills, two of bf16 and four of kU8. Where it
/// has none, loops of ours compute products of float32 and of bytes; nothing computes those of bf16.
bool hasUkernels(DType dtype);

/// Offsets of A and B, in bytes, for each product of a batch.
using ProductOffsets = std::vector<std::pair<int64_t, int64_t>>;

/// What is multiplied: A (rows × depth) by B (depth × columns), whose rows lie `lda`, `ldb` and `ldc` numbers apart. Of
/// kU8 A are unsigned bytes, B signed ones, and C int32; else C is float32. `depth` is a multiple of how many numbers
/// lie side by side in B.
struct ProductShape {
  int64_t rows = 0, columns = 0, depth = 0;
  int64_t batch = 1;  ///< products that are summed
  int64_t lda = 0, ldb = 0, ldc = 0;
  DType dtype = DType::kF32;
  bool adds = false;  ///< to what is in C
};

/// C = the sum of a batch of products, ready to be computed: by a oneDNN ukernel, or by loops where there is none.
class BatchedProduct {
 public:
  BatchedProduct() = default;
  explicit BatchedProduct(const ProductShape& shape);

  explicit operator bool() const { return shape_.rows > 0; }
  /// What computes it: "brgemm" or "loops".
  std::string implementation() const { return ukernel_ ? "brgemm" : "loops"; }
  int64_t scratchBytes() const;
  /// Before a product that the thread has not computed last.
  void configure() const;
  /// After a thread's last one.
  static void release();
  /// `offsets` are as many as the batch.
  void compute(const std::byte* a, const std::byte* b, const ProductOffsets& offsets, std::byte* c,
               std::byte* scratch) const;

 private:
  struct Ukernel;

  ProductShape shape_;
  std::shared_ptr<const Ukernel> ukernel_;  ///< none: loops
};

}  // namespace jcs::cpu
