#include "ops/reduce.h"
#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

void reduce(const Reduce& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  y.fill(0);
  for (int64_t i = 0; i < x.elements(); ++i) y[broadcastPosition(i, x.shape(), y.shape())] += x[i];
  if (!op.mean) return;
  const double count = static_cast<double>(x.elements()) / static_cast<double>(y.elements());
  for (int64_t i = 0; i < y.elements(); ++i) y[i] /= count;
}

void broadcast(const Broadcast& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  for (int64_t i = 0; i < y.elements(); ++i)
    y[i] = x[broadcastPosition(i, y.shape(), x.shape())] * static_cast<double>(op.scale);
}

}  // namespace

void addReduceKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<Reduce>(kernels, reduce);
  addLoops<Broadcast>(kernels, broadcast);
}

}  // namespace jcs::reference
