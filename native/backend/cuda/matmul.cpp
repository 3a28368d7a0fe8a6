#include "ops/matmul.h"

#include "backend/cuda/cublaslt.h"
#include "backend/cuda/direct_kernels.h"
#include "backend/cuda/kernels/conv2d.h"
#include "backend/cuda/operands.h"
#include "backend/cuda/preferred_kernels.h"

namespace jcs::cuda {

namespace {

/// A matrix, stored densely by rows, as cuBLASLt sees it.
class MatrixLayout {
 public:
  MatrixLayout(const CuBlasLt& blas, int64_t rows, int64_t columns) : blas_(blas) {
    // By columns it is the transposed matrix.
    blas.check(blas.matrixLayoutCreate(&layout_, CUDA_R_32F, static_cast<uint64_t>(columns),
                                       static_cast<uint64_t>(rows), columns),
               "cublasLtMatrixLayoutCreate");
  }
  ~MatrixLayout() { blas_.matrixLayoutDestroy(layout_); }
  MatrixLayout(const MatrixLayout&) = delete;
  MatrixLayout& operator=(const MatrixLayout&) = delete;
  cublasLtMatrixLayout_t get() const { return layout_; }

 private:
  const CuBlasLt& blas_;
  cublasLtMatrixLayout_t layout_ = nullptr;
};

/// A product and its epilogue.
class MatmulDescription {
 public:
  MatmulDescription(const CuBlasLt& blas, bool tf32) : blas_(blas) {
    blas.check(
        blas.matmulDescCreate(&description_, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  }
  ~MatmulDescription() { blas_.matmulDescDestroy(description_); }
  MatmulDescription(const MatmulDescription&) = delete;
  MatmulDescription& operator=(const MatmulDescription&) = delete;
  template <typename T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    blas_.check(blas_.matmulDescSetAttribute(description_, attribute, &value, sizeof value),
                "cublasLtMatmulDescSetAttribute");
  }
  cublasLtMatmulDesc_t get() const { return description_; }

 private:
  const CuBlasLt& blas_;
  cublasLtMatmulDesc_t description_ = nullptr;
};

/// Our matrices lie by rows and cuBLASLt's by columns, so it computes yᵀ = op(b)ᵀ · op(a)ᵀ: b comes first, and the
/// bias, one value per column of y, is one per row there, as its epilogue adds it.
class MatmulKernel : public Kernel {
 public:
  static std::unique_ptr<Kernel> tryPrepare(const Prepare& p) {
    auto kernel = std::make_unique<MatmulKernel>(p);
    return kernel->findAlgorithm(p.options.deterministic) ? std::move(kernel) : nullptr;
  }

  explicit MatmulKernel(const Prepare& p)
      : blas_(*p.device.blas),
        stream_(p.device.stream),
        launcher_(launcherOf(p.device)),
        a_(blas_, p.inputs[0].type.shape[0], p.inputs[0].type.shape[1]),
        b_(blas_, p.inputs[1].type.shape[0], p.inputs[1].type.shape[1]),
        y_(blas_, p.outputs[0].type.shape[0], p.outputs[0].type.shape[1]),
        description_(blas_, p.options.tf32),
        biased_(p.as<Matmul>().bias) {
    const auto& op = p.as<Matmul>();
    const Shape& y = p.outputs[0].type.shape;
    description_.set(CUBLASLT_MATMUL_DESC_TRANSA, op.transposeB ? CUBLAS_OP_T : CUBLAS_OP_N);
    description_.set(CUBLASLT_MATMUL_DESC_TRANSB, op.transposeA ? CUBLAS_OP_T : CUBLAS_OP_N);
    const bool relu = op.activation == Activation::kRelu;
    description_.set(CUBLASLT_MATMUL_DESC_EPILOGUE, biased_
                                                        ? (relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
                                                        : (relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT));
    // cuBLASLt has no sigmoid: a pass of our own over the result, which is small where the networks have one.
    if (op.activation == Activation::kSigmoid)
      finish_ = FinishRows{y[0], y[1], DType::kF32, DType::kF32, y[1], y[1], 0, Activation::kSigmoid};
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    if (biased_) description_.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, in[2]);
    const float one = 1, zero = 0;
    blas_.check(blas_.matmul(blas_.handle(), description_.get(), &one, in[1], b_.get(), in[0], a_.get(), &zero, out[0],
                             y_.get(), out[0], y_.get(), &algorithm_, alignedWorkspace(scratch),
                             static_cast<size_t>(workspaceBytes_), stream_),
                "cublasLtMatmul");
    if (finish_) finishRows(launcher_, *finish_, out[0], nullptr, nullptr, out[0]);
  }
  int64_t scratchBytes() const override { return workspaceBytes_ > 0 ? workspaceBytes_ + kWorkspaceSlack : 0; }
  std::string implementation() const override { return finish_ ? "cublasLt + epilogue" : "cublasLt"; }

 private:
  bool findAlgorithm(bool deterministic) {
    cublasLtMatmulPreference_t preference = nullptr;
    blas_.check(blas_.matmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      blas_.check(blas_.matmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
                  "cublasLtMatmulPreferenceSetAttribute");
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{32} << 20);
    // Sums of split products are added up in order through the workspace; in place they would race.
    if (deterministic)
      set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
          static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_MASK & ~CUBLASLT_REDUCTION_SCHEME_INPLACE));
    // Operands start on multiples of 64 bytes; cuBLASLt is told what it expects when it is told nothing: 256.
    for (const auto operand : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      set(operand, static_cast<uint32_t>(kMemoryAlignment));
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    const cublasStatus_t status = blas_.matmulAlgoGetHeuristic(blas_.handle(), description_.get(), b_.get(), a_.get(),
                                                               y_.get(), y_.get(), preference, 1, &result, &found);
    blas_.matmulPreferenceDestroy(preference);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && found == 0)) return false;
    blas_.check(status, "cublasLtMatmulAlgoGetHeuristic");
    algorithm_ = result.algo;
    workspaceBytes_ = static_cast<int64_t>(result.workspaceSize);
    return true;
  }

  const CuBlasLt& blas_;
  cudaStream_t stream_;
  Launcher launcher_;
  MatrixLayout a_, b_, y_;
  MatmulDescription description_;
  bool biased_;
  std::optional<FinishRows> finish_;
  cublasLtMatmulAlgo_t algorithm_{};
  int64_t workspaceBytes_ = 0;
};

}  // namespace

void registerMatmul(Registry& registry) {
  registry.add<Matmul>([](const Prepare& p) {
    if (auto kernel = preparePreferredMatmul(p)) return kernel;
    if (auto kernel = MatmulKernel::tryPrepare(p)) return kernel;
    return prepareDirectMatmul(p);
  });
}

}  // namespace jcs::cuda
