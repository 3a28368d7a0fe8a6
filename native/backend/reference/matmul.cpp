#include "ops/matmul.h"
#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

void matmul(const Matmul& op, const Operands& operands) {
  const Input &a = operands.inputs[0], &b = operands.inputs[1];
  const Output& y = operands.outputs[0];
  const int64_t inner = a.extent(op.transposeA ? 0 : 1);
  for (int64_t m = 0; m < y.rows(); ++m)
    for (int64_t n = 0; n < y.channels(); ++n) {
      double sum = op.bias ? operands.inputs[2][n] : 0;
      for (int64_t k = 0; k < inner; ++k)
        sum += (op.transposeA ? a.at(k, m) : a.at(m, k)) * (op.transposeB ? b.at(n, k) : b.at(k, n));
      y.at(m, n) = apply(op.activation, sum);
    }
}

}  // namespace

void addMatmulKernels(KernelRegistry<Oracle>& kernels) { addLoops<Matmul>(kernels, matmul); }

}  // namespace jcs::reference
