#include "ops/elementwise.h"
#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

void unary(const Unary& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  for (int64_t i = 0; i < y.elements(); ++i) switch (op.kind) {
      case Unary::Kind::kRelu: y[i] = apply(Activation::kRelu, x[i]); break;
      case Unary::Kind::kSigmoid: y[i] = sigmoid(x[i]); break;
      case Unary::Kind::kSqrt: y[i] = std::sqrt(x[i]); break;
    }
}

void unaryGradient(const UnaryGradient& op, const Operands& operands) {
  const Input &a = operands.inputs[0], &b = operands.inputs[1], &y = operands.inputs.back();
  const Output& dx = operands.outputs[0];
  for (int64_t i = 0; i < dx.elements(); ++i) {
    const double dy = op.ofSum ? a[i] + b[i] : a[i];
    switch (op.kind) {
      case Unary::Kind::kRelu: dx[i] = y[i] > 0 ? dy : 0; break;
      case Unary::Kind::kSigmoid: dx[i] = dy * y[i] * (1 - y[i]); break;
      case Unary::Kind::kSqrt: dx[i] = dy / (2 * y[i]); break;
    }
  }
}

double combine(Binary::Kind kind, double a, double b) {
  switch (kind) {
    case Binary::Kind::kAdd: return a + b;
    case Binary::Kind::kSubtract: return a - b;
    case Binary::Kind::kMultiply: return a * b;
    case Binary::Kind::kDivide: return a / b;
  }
  return 0;
}

void binary(const Binary& op, const Operands& operands) {
  const Input &a = operands.inputs[0], &b = operands.inputs[1];
  const Output& y = operands.outputs[0];
  for (int64_t i = 0; i < y.elements(); ++i)
    y[i] = apply(op.activation, combine(op.kind, a[i], b[broadcastPosition(i, a.shape(), b.shape())]));
}

void affine(const Affine& op, const Operands& operands) {
  const Input &x = operands.inputs[0], &scale = operands.inputs[1], &shift = operands.inputs[2];
  const Output& y = operands.outputs[0];
  for (int64_t row = 0; row < y.rows(); ++row)
    for (int64_t c = 0; c < y.channels(); ++c) y.at(row, c) = apply(op.activation, x.at(row, c) * scale[c] + shift[c]);
}

/// Everything is float64 here, so that a cast is the identity: rounding is what the other backends add.
void cast(const Cast&, const Operands& operands) {
  const Output& y = operands.outputs[0];
  for (int64_t i = 0; i < y.elements(); ++i) y[i] = operands.inputs[0][i];
}

}  // namespace

void addElementwiseKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<Unary>(kernels, unary);
  addLoops<UnaryGradient>(kernels, unaryGradient);
  addLoops<Binary>(kernels, binary);
  addLoops<Affine>(kernels, affine);
  addLoops<Cast>(kernels, cast);
}

}  // namespace jcs::reference
