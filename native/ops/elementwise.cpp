#include "ops/elementwise.h"

#include "ops/reduce.h"

namespace jcs {

namespace {

Value unary(Unary::Kind kind, Value x) { return addNode(std::make_shared<Unary>(kind), {x}); }
Value binary(Binary::Kind kind, Value a, Value b) { return addNode(std::make_shared<Binary>(kind), {a, b}); }

/// Gradients of a broadcast operand are summed over the axes along which it was repeated.
Value reduceTo(Value gradient, const Shape& shape) {
  return gradient.shape() == shape ? gradient : reduceSum(gradient, shape);
}

}  // namespace

const char* nameOf(Unary::Kind kind) {
  return kind == Unary::Kind::kRelu ? "relu" : kind == Unary::Kind::kSigmoid ? "sigmoid" : "sqrt";
}

const char* nameOf(Binary::Kind kind) {
  switch (kind) {
    case Binary::Kind::kAdd: return "add";
    case Binary::Kind::kSubtract: return "subtract";
    case Binary::Kind::kMultiply: return "multiply";
    case Binary::Kind::kDivide: return "divide";
  }
  return "";
}

bool broadcastsTo(const Shape& small, const Shape& large) {
  if (small.rank() > large.rank()) return false;
  const int lead = large.rank() - small.rank();
  for (int axis = 0; axis < small.rank(); ++axis)
    if (small[axis] != 1 && small[axis] != large[lead + axis]) return false;
  return true;
}

std::vector<TensorType> Unary::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1, in, "takes one tensor");
  return {in[0]};
}

std::vector<Value> Unary::gradient(const GradientContext& c) const {
  return {addNode(std::make_shared<UnaryGradient>(kind), {c.outputGradients[0], c.outputs[0]})};
}

std::vector<TensorType> UnaryGradient::infer(std::span<const TensorType> in) const {
  invariant(!ofSum || kind == Unary::Kind::kRelu, "a sum of gradients is fused into that of a ReLU");
  requireShape(in.size() == (ofSum ? 3 : 2) && in[0].shape == in[1].shape && in[0].shape == in.back().shape, in,
               ofSum ? "takes two parts of dy, and y, of one shape" : "takes dy and y of one shape");
  return {in[0]};
}

std::vector<TensorType> Binary::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 2 && broadcastsTo(in[1].shape, in[0].shape), in, "b must broadcast to the shape of a");
  return {in[0]};
}

std::vector<Value> Binary::gradient(const GradientContext& c) const {
  invariant(activation == Activation::kNone, "elementwise ops are differentiated before they are fused");
  const Value a = c.inputs[0], b = c.inputs[1], g = c.outputGradients[0];
  std::vector<Value> result(2);
  switch (kind) {
    case Kind::kAdd: result = {g, c.wanted[1] ? reduceTo(g, b.shape()) : Value{}}; break;
    case Kind::kSubtract: result = {g, c.wanted[1] ? multiply(reduceTo(g, b.shape()), -1) : Value{}}; break;
    case Kind::kMultiply:
      if (c.wanted[0]) result[0] = multiply(g, b);
      if (c.wanted[1]) result[1] = reduceTo(multiply(g, a), b.shape());
      break;
    case Kind::kDivide:
      if (c.wanted[0]) result[0] = divide(g, b);
      if (c.wanted[1]) result[1] = multiply(reduceTo(divide(multiply(g, c.outputs[0]), b), b.shape()), -1);
      break;
  }
  return result;
}

std::vector<TensorType> Affine::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 3 && in[0].shape.rank() >= 1 && in[1].shape == Shape{in[0].shape.channels()} &&
                   in[2].shape == in[1].shape,
               in, "takes x, and a scale and a shift with one value per channel");
  return {in[0]};
}

std::vector<Value> Affine::gradient(const GradientContext& c) const {
  invariant(activation == Activation::kNone, "elementwise ops are differentiated before they are fused");
  const Value x = c.inputs[0], scale = c.inputs[1], g = c.outputGradients[0];
  std::vector<Value> result(3);
  if (c.wanted[0]) result[0] = multiply(g, scale);
  if (c.wanted[1]) result[1] = reduceSum(multiply(g, x), scale.shape());
  if (c.wanted[2]) result[2] = reduceSum(g, scale.shape());
  return result;
}

std::vector<TensorType> Cast::infer(std::span<const TensorType> in) const {
  requireShape(in.size() == 1, in, "takes one tensor");
  return {{in[0].dtype == DType::kF64 ? DType::kF64 : dtype, in[0].shape}};
}

std::vector<Value> Cast::gradient(const GradientContext& c) const {
  return {cast(c.outputGradients[0], c.inputs[0].type().dtype)};
}

Value relu(Value x) { return unary(Unary::Kind::kRelu, x); }
Value sigmoid(Value x) { return unary(Unary::Kind::kSigmoid, x); }
Value sqrt(Value x) { return unary(Unary::Kind::kSqrt, x); }
Value add(Value a, Value b) { return binary(Binary::Kind::kAdd, a, b); }
Value subtract(Value a, Value b) { return binary(Binary::Kind::kSubtract, a, b); }
Value multiply(Value a, Value b) { return binary(Binary::Kind::kMultiply, a, b); }
Value divide(Value a, Value b) { return binary(Binary::Kind::kDivide, a, b); }
Value add(Value a, float b) { return add(a, a.graph->scalar(b)); }
Value multiply(Value a, float b) { return multiply(a, a.graph->scalar(b)); }
Value affine(Value x, Value scale, Value shift) { return addNode(std::make_shared<Affine>(), {x, scale, shift}); }
Value cast(Value x, DType dtype) { return x.type().dtype == dtype ? x : addNode(std::make_shared<Cast>(dtype), {x}); }

}  // namespace jcs
