#include "backend/cpu/product.h"

#include "backend/cpu/onednn.h"
#include "backend/cpu/product_loops.h"

#if defined(DNNL_EXPERIMENTAL_UKERNEL)
#include "oneapi/dnnl/dnnl_ukernel.hpp"
#endif

namespace jcs::cpu {

struct BatchedProduct::Ukernel {
#if defined(DNNL_EXPERIMENTAL_UKERNEL)
  dnnl::ukernel::brgemm brgemm;
#endif
};

#if defined(DNNL_EXPERIMENTAL_UKERNEL)

namespace {

/// Not yet generated; empty where the processor has none.
dnnl::ukernel::brgemm makeBrgemm(const ProductShape& p) {
  const bool bytes = p.dtype == DType::kU8;
  const auto a = bytes ? dnnl::memory::data_type::u8 : onednnType(p.dtype);
  const auto b = bytes ? dnnl::memory::data_type::s8 : a;
  const auto c = bytes ? dnnl::memory::data_type::s32 : dnnl::memory::data_type::f32;
  dnnl::ukernel::brgemm kernel(p.rows, p.columns, p.depth, p.batch, p.lda, p.ldb, p.ldc, a, b, c, true);
  if (!kernel) return kernel;
  kernel.set_add_C(p.adds);
  kernel.finalize();
  return kernel;
}

bool findsUkernels(DType dtype) {
  using dnnl::ukernel::pack_type;
  // Without VNNI, pairs of bytes' products are added in 16 bits, which saturate.
  if (dtype == DType::kU8 && !hasVnni()) return false;
  try {
    const auto kernel = makeBrgemm(
        {.rows = 32, .columns = 32, .depth = 32, .batch = 2, .lda = 32, .ldb = 32, .ldc = 32, .dtype = dtype});
    return kernel && kernel.get_B_pack_type() == (dtype == DType::kF32 ? pack_type::no_trans : pack_type::pack32);
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace

bool hasUkernels(DType dtype) {
  static const bool ofFloats = findsUkernels(DType::kF32), ofHalves = findsUkernels(DType::kBF16),
                    ofBytes = findsUkernels(DType::kU8);
  return dtype == DType::kU8 ? ofBytes : dtype == DType::kBF16 ? ofHalves : ofFloats;
}

BatchedProduct::BatchedProduct(const ProductShape& shape) : shape_(shape) {
  if (!hasUkernels(shape.dtype)) {
    invariant(shape.dtype != DType::kBF16, "there are no loops for products of bf16");
    return;
  }
  onednnCall("brgemm", [&] {
    auto kernel = makeBrgemm(shape);
    invariant(static_cast<bool>(kernel), "oneDNN has no ukernel for a product");
    kernel.generate();
    ukernel_ = std::make_shared<const Ukernel>(std::move(kernel));
  });
}

int64_t BatchedProduct::scratchBytes() const {
  return ukernel_ ? static_cast<int64_t>(ukernel_->brgemm.get_scratchpad_size()) : 0;
}

void BatchedProduct::configure() const {
  if (ukernel_) onednnCall("brgemm::set_hw_context", [&] { ukernel_->brgemm.set_hw_context(); });
}

void BatchedProduct::release() { dnnl::ukernel::brgemm::release_hw_context(); }

void BatchedProduct::compute(const std::byte* a, const std::byte* b, const ProductOffsets& offsets, std::byte* c,
                             std::byte* scratch) const {
  if (ukernel_)
    onednnCall("brgemm::execute", [&] { ukernel_->brgemm.execute(a, b, offsets, c, scratch); });
  else
    multiplyByLoops(shape_, a, b, offsets, c);
}

#else

bool hasUkernels(DType) { return false; }

BatchedProduct::BatchedProduct(const ProductShape& shape) : shape_(shape) {
  invariant(shape.dtype != DType::kBF16, "there are no loops for products of bf16");
}

int64_t BatchedProduct::scratchBytes() const { return 0; }

void BatchedProduct::configure() const {}

void BatchedProduct::release() {}

void BatchedProduct::compute(const std::byte* a, const std::byte* b, const ProductOffsets& offsets, std::byte* c,
                             std::byte*) const {
  multiplyByLoops(shape_, a, b, offsets, c);
}

#endif

}  // namespace jcs::cpu
