#include "ops/optimizer.h"

#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

void sgdUpdate(const SgdUpdate& op, const Operands& operands) {
  const Input &w = operands.inputs[0], &gradient = operands.inputs[1], &velocity = operands.inputs[2];
  const double learningRate = operands.inputs[3][0];
  const double momentum = op.momentum, weightDecay = op.weightDecay;
  for (int64_t i = 0; i < w.elements(); ++i) {
    const double g = gradient[i] + weightDecay * w[i];
    const double v = momentum * velocity[i] + g;
    const double step = op.nesterov ? g + momentum * v : v;
    operands.outputs[0][i] = w[i] - learningRate * step;
    operands.outputs[1][i] = v;
  }
}

/// Kingma and Ba 2015, algorithm 1. Dividing by √(1 − beta2^t) before epsilon is added is PyTorch's reading of it.
void adamUpdate(const AdamUpdate& op, const Operands& operands) {
  const Input &w = operands.inputs[0], &gradient = operands.inputs[1];
  const Input &first = operands.inputs[2], &second = operands.inputs[3], &hyper = operands.inputs[4];
  const double learningRate = hyper[0], correction1 = hyper[1], correction2 = hyper[2];
  const double beta1 = op.beta1, beta2 = op.beta2, epsilon = op.epsilon, weightDecay = op.weightDecay;
  for (int64_t i = 0; i < w.elements(); ++i) {
    const double g = gradient[i] + (op.decoupled ? 0 : weightDecay * w[i]);
    const double kept = op.decoupled ? w[i] * (1 - learningRate * weightDecay) : w[i];
    const double m = beta1 * first[i] + (1 - beta1) * g;
    const double v = beta2 * second[i] + (1 - beta2) * g * g;
    operands.outputs[0][i] = kept - learningRate * (m / correction1) / (std::sqrt(v / correction2) + epsilon);
    operands.outputs[1][i] = m;
    operands.outputs[2][i] = v;
  }
}

}  // namespace

void addOptimizerKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<SgdUpdate>(kernels, sgdUpdate);
  addLoops<AdamUpdate>(kernels, adamUpdate);
}

}  // namespace jcs::reference
