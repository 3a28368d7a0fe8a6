#include "ops/loss.h"

#include <algorithm>

#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

double rowMaximum(const Input& x, int64_t row) {
  double maximum = x.at(row, 0);
  for (int64_t k = 1; k < x.channels(); ++k) maximum = std::max(maximum, x.at(row, k));
  return maximum;
}

/// log Σ exp(z), shifted by the maximum so that no exponential overflows.
double logSumExp(const Input& z, int64_t row) {
  const double maximum = rowMaximum(z, row);
  double sum = 0;
  for (int64_t k = 0; k < z.channels(); ++k) sum += std::exp(z.at(row, k) - maximum);
  return maximum + std::log(sum);
}

void softmax(const Softmax&, const Operands& operands) {
  const Input& z = operands.inputs[0];
  for (int64_t row = 0; row < z.rows(); ++row)
    for (int64_t k = 0; k < z.channels(); ++k)
      operands.outputs[0].at(row, k) = std::exp(z.at(row, k) - logSumExp(z, row));
}

void softmaxCrossEntropy(const SoftmaxCrossEntropy&, const Operands& operands) {
  const Input &z = operands.inputs[0], &target = operands.inputs[1];
  for (int64_t row = 0; row < z.rows(); ++row) {
    double loss = 0;
    for (int64_t k = 0; k < z.channels(); ++k) loss += target.at(row, k) * (logSumExp(z, row) - z.at(row, k));
    operands.outputs[0].at(row, 0) = loss;
  }
}

/// With g the target: −g·log σ(z) − (1−g)·log(1 − σ(z)) = max(z, 0) − z·g + log(1 + e^−|z|).
void sigmoidCrossEntropy(const SigmoidCrossEntropy&, const Operands& operands) {
  const Input &z = operands.inputs[0], &target = operands.inputs[1];
  for (int64_t i = 0; i < z.elements(); ++i)
    operands.outputs[0][i] = std::max(z[i], 0.0) - z[i] * target[i] + std::log1p(std::exp(-std::abs(z[i])));
}

/// A sample's extremes and how many pixels hold each.
struct Extremes {
  double low, high;
  int64_t lows = 0, highs = 0;
  double range() const { return high - low; }
};

Extremes extremes(const Input& x, int64_t first, int64_t pixels) {
  Extremes e{x[first], x[first]};
  for (int64_t i = first; i < first + pixels; ++i) {
    e.low = std::min(e.low, x[i]);
    e.high = std::max(e.high, x[i]);
  }
  for (int64_t i = first; i < first + pixels; ++i) {
    e.lows += x[i] == e.low;
    e.highs += x[i] == e.high;
  }
  return e;
}

void minMaxNormalize(const MinMaxNormalize&, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  const int64_t pixels = x.extent(1) * x.extent(2);
  for (int64_t first = 0; first < x.elements(); first += pixels) {
    const Extremes e = extremes(x, first, pixels);
    for (int64_t i = first; i < first + pixels; ++i) y[i] = e.range() > 0 ? (x[i] - e.low) / e.range() : 0;
  }
}

/// y = (x − low) / (high − low), hence ∂y/∂low = (y − 1) / range and ∂y/∂high = −y / range; what arrives at an extreme
/// is shared by all pixels that hold it.
void minMaxNormalizeGradient(const MinMaxNormalizeGradient&, const Operands& operands) {
  const Input &dy = operands.inputs[0], &x = operands.inputs[1];
  const Output& dx = operands.outputs[0];
  const int64_t pixels = x.extent(1) * x.extent(2);
  for (int64_t first = 0; first < x.elements(); first += pixels) {
    const Extremes e = extremes(x, first, pixels);
    if (e.range() == 0) {
      for (int64_t i = first; i < first + pixels; ++i) dx[i] = 0;
      continue;
    }
    double atLow = 0, atHigh = 0;
    for (int64_t i = first; i < first + pixels; ++i) {
      const double y = (x[i] - e.low) / e.range();
      atLow += dy[i] * (y - 1) / e.range();
      atHigh -= dy[i] * y / e.range();
    }
    for (int64_t i = first; i < first + pixels; ++i) {
      dx[i] = dy[i] / e.range();
      if (x[i] == e.low) dx[i] += atLow / static_cast<double>(e.lows);
      if (x[i] == e.high) dx[i] += atHigh / static_cast<double>(e.highs);
    }
  }
}

}  // namespace

void addLossKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<Softmax>(kernels, softmax);
  addLoops<SoftmaxCrossEntropy>(kernels, softmaxCrossEntropy);
  addLoops<SigmoidCrossEntropy>(kernels, sigmoidCrossEntropy);
  addLoops<MinMaxNormalize>(kernels, minMaxNormalize);
  addLoops<MinMaxNormalizeGradient>(kernels, minMaxNormalizeGradient);
}

}  // namespace jcs::reference
