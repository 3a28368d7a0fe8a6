#include "ops/batch_norm.h"
#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

void batchNorm(const BatchNorm& op, const Operands& operands) {
  const Input &x = operands.inputs[0], &gamma = operands.inputs[1], &beta = operands.inputs[2];
  const Output &y = operands.outputs[0], &mean = operands.outputs[1], &variance = operands.outputs[2];
  const auto count = static_cast<double>(x.rows());
  for (int64_t c = 0; c < x.channels(); ++c) {
    mean[c] = variance[c] = 0;
    for (int64_t row = 0; row < x.rows(); ++row) mean[c] += x.at(row, c) / count;
    for (int64_t row = 0; row < x.rows(); ++row) {
      const double centred = x.at(row, c) - mean[c];
      variance[c] += centred * centred / count;
    }
    const double inverse = 1 / std::sqrt(variance[c] + static_cast<double>(op.epsilon));
    for (int64_t row = 0; row < x.rows(); ++row)
      y.at(row, c) = apply(op.activation, (x.at(row, c) - mean[c]) * inverse * gamma[c] + beta[c] +
                                              (op.residual ? operands.inputs[3].at(row, c) : 0));
  }
}

/// Ioffe and Szegedy 2015, section 3, with the terms through mean and variance collected:
/// dx = gamma / σ · (dy − dbeta / M − x̂ · dgamma / M), M values per channel.
void batchNormGradient(const BatchNormGradient& op, const Operands& operands) {
  const Input &dy = operands.inputs[0], &x = operands.inputs[1], &gamma = operands.inputs[2];
  const Input &mean = operands.inputs[3], &variance = operands.inputs[4];
  const Input* beta = op.relu ? &operands.inputs[5] : nullptr;
  const Output &dx = operands.outputs[0], &dgamma = operands.outputs[1], &dbeta = operands.outputs[2];
  const auto count = static_cast<double>(x.rows());
  for (int64_t c = 0; c < x.channels(); ++c) {
    const double inverse = 1 / std::sqrt(variance[c] + static_cast<double>(op.epsilon));
    const auto normalised = [&](int64_t row) { return (x.at(row, c) - mean[c]) * inverse; };
    const auto gradient = [&](int64_t row) {
      return beta && normalised(row) * gamma[c] + (*beta)[c] <= 0 ? 0.0 : dy.at(row, c);
    };
    dgamma[c] = dbeta[c] = 0;
    for (int64_t row = 0; row < x.rows(); ++row) {
      dgamma[c] += gradient(row) * normalised(row);
      dbeta[c] += gradient(row);
    }
    for (int64_t row = 0; row < x.rows(); ++row)
      dx.at(row, c) = gamma[c] * inverse * (gradient(row) - dbeta[c] / count - normalised(row) * dgamma[c] / count);
  }
}

void scaleShift(const BatchNormScaleShift& op, const Operands& operands) {
  const Input &gamma = operands.inputs[0], &beta = operands.inputs[1];
  const Input &mean = operands.inputs[2], &variance = operands.inputs[3];
  const Output &scale = operands.outputs[0], &shift = operands.outputs[1];
  for (int64_t c = 0; c < scale.elements(); ++c) {
    scale[c] = gamma[c] / std::sqrt(variance[c] + static_cast<double>(op.epsilon));
    shift[c] = beta[c] - mean[c] * scale[c];
  }
}

}  // namespace

void addBatchNormKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<BatchNorm>(kernels, batchNorm);
  addLoops<BatchNormGradient>(kernels, batchNormGradient);
  addLoops<BatchNormScaleShift>(kernels, scaleShift);
}

}  // namespace jcs::reference
