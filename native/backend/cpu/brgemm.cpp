#include "backend/cpu/brgemm.h"

#include "backend/cpu/onednn.h"
#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

/// Sums of up to kRows rows of A by sixteen columns of B.
constexpr int64_t kRows = 4;

struct BytePointers {
  const uint8_t* a;
  const int8_t* b;
};

template <int64_t kCount>
JCS_INLINE void multiplyRows(std::span<const BytePointers> batch, int64_t depth, int64_t lda, int64_t ldb,
                             Flags* sums) {
  Flags total[kCount] = {};
  for (const BytePointers& at : batch)
    for (int64_t k = 0; k < depth; k += 4) {
      Flags words;  // four weights of each column
      std::memcpy(&words, at.b + k * ldb, sizeof words);
      for (int byte = 0; byte < 4; ++byte) {
        const Flags weights = (words << (24 - 8 * byte)) >> 24;
        for (int64_t row = 0; row < kCount; ++row) total[row] += weights * at.a[row * lda + k + byte];
      }
    }
  for (int64_t row = 0; row < kCount; ++row) sums[row] = total[row];
}

JCS_VECTORISED void multiplyBytes(int64_t rows, int64_t columns, int64_t depth, int64_t lda, int64_t ldb, int64_t ldc,
                                  const std::byte* a, const std::byte* b, const ProductOffsets& offsets, int32_t* c) {
  std::vector<BytePointers> batch(offsets.size());
  for (int64_t column = 0; column < columns; column += kLanes)
    for (int64_t row = 0; row < rows; row += kRows) {
      for (size_t i = 0; i < batch.size(); ++i)
        batch[i] = {reinterpret_cast<const uint8_t*>(a) + offsets[i].first + row * lda,
                    reinterpret_cast<const int8_t*>(b) + offsets[i].second + column * 4};
      const int64_t count = rows - row < kRows ? rows - row : kRows, width = columns - column;
      Flags sums[kRows];
      if (count == kRows)
        multiplyRows<kRows>(batch, depth, lda, ldb, sums);
      else
        for (int64_t i = 0; i < count; ++i) {
          multiplyRows<1>(batch, depth, lda, ldb, sums + i);
          for (BytePointers& at : batch) at.a += lda;
        }
      for (int64_t i = 0; i < count; ++i)
        std::memcpy(c + (row + i) * ldc + column, sums + i, static_cast<size_t>(width < kLanes ? width : kLanes) * 4);
    }
}

}  // namespace

dnnl::ukernel::brgemm makeBrgemm(int64_t rows, int64_t columns, int64_t depth, int64_t batch, int64_t lda, int64_t ldb,
                                 int64_t ldc, DType dtype, bool adds) {
  const bool bytes = dtype == DType::kU8;
  const auto a = bytes ? dnnl::memory::data_type::u8 : onednnType(dtype);
  const auto b = bytes ? dnnl::memory::data_type::s8 : a;
  const auto c = bytes ? dnnl::memory::data_type::s32 : dnnl::memory::data_type::f32;
  dnnl::ukernel::brgemm kernel(rows, columns, depth, batch, lda, ldb, ldc, a, b, c, true);
  if (!kernel) return kernel;
  kernel.set_add_C(adds);
  kernel.finalize();
  return kernel;
}

bool hasBrgemm(DType dtype) {
  using dnnl::ukernel::pack_type;
  try {
    const auto kernel = makeBrgemm(32, 32, 32, 2, 32, 32, 32, dtype);
    return kernel && kernel.get_B_pack_type() == (dtype == DType::kF32 ? pack_type::no_trans : pack_type::pack32);
  } catch (const dnnl::error&) {
    return false;
  }
}

bool multipliesBytes() {
  static const bool does = hasVnni() && hasBrgemm(DType::kU8);
  return does;
}

BatchedProduct::BatchedProduct(int64_t rows, int64_t columns, int64_t depth, int64_t batch, int64_t lda, int64_t ldb,
                               int64_t ldc, DType dtype)
    : rows_(rows), columns_(columns), depth_(depth), lda_(lda), ldb_(ldb), ldc_(ldc) {
  if (dtype == DType::kU8 && !multipliesBytes()) return;
  ukernel_ = makeBrgemm(rows, columns, depth, batch, lda, ldb, ldc, dtype);
  invariant(static_cast<bool>(ukernel_), "oneDNN has no ukernel for a product");
  ukernel_.generate();
}

void BatchedProduct::compute(const std::byte* a, const std::byte* b, const ProductOffsets& offsets, std::byte* c,
                             std::byte* scratch) const {
  if (ukernel_)
    ukernel_.execute(a, b, offsets, c, scratch);
  else
    multiplyBytes(rows_, columns_, depth_, lda_, ldb_, ldc_, a, b, offsets, reinterpret_cast<int32_t*>(c));
}

}  // namespace jcs::cpu
