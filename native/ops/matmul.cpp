#include "ops/matmul.h"

#include "ops/reduce.h"

namespace jcs {

std::vector<TensorType> Matmul::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2u + bias && in[0].shape.rank() == 2 && in[1].shape.rank() == 2, in,
               "takes two matrices, and a bias if the attribute says so");
  const Shape &a = in[0].shape, &b = in[1].shape;
  const int64_t m = a[transposeA], k = a[!transposeA], n = b[!transposeB];
  requireShape(b[transposeB] == k, in, "the inner extents must agree");
  if (bias) requireShape(in[2].shape == Shape{n}, in, "the bias has one value per output column");
  return {{in[0].dtype, {m, n}}};
}

double Matmul::flops(std::span<const TensorType> in, std::span<const TensorType> out) const {
  return 2.0 * static_cast<double>(out[0].elements()) * static_cast<double>(in[0].shape[!transposeA]);
}

std::vector<Value> Matmul::gradient(const GradientContext& c) const {
  invariant(activation == Activation::kNone, "products are differentiated before they are fused");
  const Value a = c.inputs[0], b = c.inputs[1], g = c.outputGradients[0];
  std::vector<Value> result(c.inputs.size());
  if (c.wanted[0]) result[0] = transposeA ? matmul(b, g, transposeB, true) : matmul(g, b, false, !transposeB);
  if (c.wanted[1]) result[1] = transposeB ? matmul(g, a, true, transposeA) : matmul(a, g, !transposeA, false);
  if (bias && c.wanted[2]) result[2] = reduceSum(g, c.inputs[2].shape());
  return result;
}

Value matmul(Value a, Value b, bool transposeA, bool transposeB, std::optional<Value> bias) {
  auto op = std::make_shared<Matmul>();
  op->transposeA = transposeA;
  op->transposeB = transposeB;
  op->bias = bias.has_value();
  return bias ? addNode(op, {a, b, *bias}) : addNode(op, {a, b});
}

Value dense(Value x, Value weight, std::optional<Value> bias) { return matmul(x, weight, false, true, bias); }

}  // namespace jcs
