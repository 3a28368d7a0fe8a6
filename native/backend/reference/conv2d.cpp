#include "ops/conv2d.h"
#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

/// A convolution is a set of products: output pixel (p, q) meets image pixel (y, x) under kernel tap (r, s), for output
/// channel o and input channel i, of which i belongs to o's group. The forward pass and both gradients sum over the
/// same set, into y, x and w in turn. Taps that fall into the padding meet zeros and are left out.
struct Term {
  int64_t n, p, q, y, x, r, s;  ///< sample, output pixel, image pixel, kernel tap
  int64_t o, i;                 ///< channels of the output and of the image
  int64_t iInGroup;             ///< what the weight calls i
};

template <typename Visit>
void forEachTerm(const Conv2dAttributes& conv, const Shape& image, const Shape& weight, const Shape& output,
                 Visit visit) {
  const int64_t outputsPerGroup = output[3] / conv.groups, inputsPerGroup = weight[1];
  Term t{};
  for (t.n = 0; t.n < output[0]; ++t.n)
    for (t.p = 0; t.p < output[1]; ++t.p)
      for (t.q = 0; t.q < output[2]; ++t.q)
        for (t.r = 0; t.r < weight[2]; ++t.r)
          for (t.s = 0; t.s < weight[3]; ++t.s) {
            t.y = t.p * conv.stride - conv.padding + t.r * conv.dilation;
            t.x = t.q * conv.stride - conv.padding + t.s * conv.dilation;
            if (t.y < 0 || t.y >= image[1] || t.x < 0 || t.x >= image[2]) continue;
            for (t.o = 0; t.o < output[3]; ++t.o)
              for (t.iInGroup = 0; t.iInGroup < inputsPerGroup; ++t.iInGroup) {
                t.i = t.o / outputsPerGroup * inputsPerGroup + t.iInGroup;
                visit(t);
              }
          }
}

void conv2d(const Conv2d& op, const Operands& operands) {
  const Input &x = operands.inputs[0], &w = operands.inputs[1];
  const Output& y = operands.outputs[0];
  y.fill(0);
  forEachTerm(op.conv, x.shape(), w.shape(), y.shape(), [&](const Term& t) {
    y.at(t.n, t.p, t.q, t.o) += x.at(t.n, t.y, t.x, t.i) * w.at(t.o, t.iInGroup, t.r, t.s);
  });
  for (int64_t row = 0; row < y.rows(); ++row)
    for (int64_t o = 0; o < y.channels(); ++o) {
      double& value = y.at(row, o);
      if (op.bias) value += operands.inputs[static_cast<size_t>(op.biasInput())][o];
      if (op.residual) value += operands.inputs[static_cast<size_t>(op.residualInput())].at(row, o);
      value = apply(op.activation, value);
    }
}

void inputGradient(const Conv2dInputGradient& op, const Operands& operands) {
  const Input &dy = operands.inputs[0], &w = operands.inputs[1];
  const Output& dx = operands.outputs[0];
  dx.fill(0);
  forEachTerm(op.conv, dx.shape(), w.shape(), dy.shape(), [&](const Term& t) {
    dx.at(t.n, t.y, t.x, t.i) += dy.at(t.n, t.p, t.q, t.o) * w.at(t.o, t.iInGroup, t.r, t.s);
  });
}

void weightGradient(const Conv2dWeightGradient& op, const Operands& operands) {
  const Input &x = operands.inputs[0], &dy = operands.inputs[1];
  const Output& dw = operands.outputs[0];
  dw.fill(0);
  forEachTerm(op.conv, x.shape(), dw.shape(), dy.shape(), [&](const Term& t) {
    dw.at(t.o, t.iInGroup, t.r, t.s) += x.at(t.n, t.y, t.x, t.i) * dy.at(t.n, t.p, t.q, t.o);
  });
  if (!op.bias) return;
  const Output& db = operands.outputs[1];
  db.fill(0);
  for (int64_t row = 0; row < dy.rows(); ++row)
    for (int64_t o = 0; o < dy.channels(); ++o) db[o] += dy.at(row, o);
}

}  // namespace

void addConv2dKernels(KernelRegistry<Oracle>& kernels) {
  addLoops<Conv2d>(kernels, conv2d);
  addLoops<Conv2dInputGradient>(kernels, inputGradient);
  addLoops<Conv2dWeightGradient>(kernels, weightGradient);
}

}  // namespace jcs::reference
