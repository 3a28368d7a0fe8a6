#pragma once

#include "graph/graph.h"
#include "ops/activation.h"

namespace jcs {

/// y = f(x), element by element.
class Unary : public OpOf<Unary> {
 public:
  static constexpr std::string_view kName = "unary";

  enum class Kind { kRelu, kSigmoid, kSqrt };
  explicit Unary(Kind k) : kind(k) {}
  Kind kind;

  void visit(auto&& attribute) const { attribute("kind", kind); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
  int inPlaceInput(int) const override { return 0; }
};

/// dx = dy · f'(x) from (dy, y): each f' is a function of y alone (relu: y > 0; sigmoid: y(1−y); sqrt: 1/2y). Or from
/// (a, b, y), dy being a + b.
class UnaryGradient : public OpOf<UnaryGradient> {
 public:
  static constexpr std::string_view kName = "unary_gradient";

  explicit UnaryGradient(Unary::Kind k) : kind(k) {}
  Unary::Kind kind;
  bool ofSum = false;  ///< set by the compiler's fusion only, of a ReLU

  void visit(auto&& attribute) const {
    attribute("kind", kind);
    attribute("ofSum", ofSum);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  Precision precision(int input) const override {
    return input < (ofSum ? 2 : 1) ? Precision::kGradient : Precision::kFollow;
  }
  int inPlaceInput(int) const override { return 0; }
};

/// y = a ∘ b. `b` has a's shape or broadcasts to it (extent 1 or a missing leading axis repeats); a never grows.
/// A broadcast b is float32 whatever a is.
class Binary : public OpOf<Binary> {
 public:
  static constexpr std::string_view kName = "binary";

  enum class Kind { kAdd, kSubtract, kMultiply, kDivide };
  explicit Binary(Kind k) : kind(k) {}
  Kind kind;
  Activation activation = Activation::kNone;  ///< set by the compiler's fusion only

  void visit(auto&& attribute) const {
    attribute("kind", kind);
    attribute("activation", activation);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
  int inPlaceInput(int) const override { return 0; }
};

/// y = x · scale + shift, scale and shift per channel: batch norm with stored statistics.
class Affine : public OpOf<Affine> {
 public:
  static constexpr std::string_view kName = "affine";

  Activation activation = Activation::kNone;  ///< set by the compiler's fusion only

  void visit(auto&& attribute) const { attribute("activation", activation); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int input) const override { return input == 0 ? Precision::kFollow : Precision::kFloat32; }
  int inPlaceInput(int) const override { return 0; }
};

/// The same numbers in another dtype; inserted by the bf16 pass.
class Cast : public OpOf<Cast> {
 public:
  static constexpr std::string_view kName = "cast";

  explicit Cast(DType d) : dtype(d) {}
  DType dtype;

  void visit(auto&& attribute) const { attribute("dtype", dtype); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<Value> gradient(const GradientContext& context) const override;
  Precision precision(int) const override { return Precision::kFollow; }
};

Value relu(Value x);
Value sigmoid(Value x);
Value sqrt(Value x);
Value add(Value a, Value b);
Value subtract(Value a, Value b);
Value multiply(Value a, Value b);
Value divide(Value a, Value b);
Value add(Value a, float b);
Value multiply(Value a, float b);
Value affine(Value x, Value scale, Value shift);
Value cast(Value x, DType dtype);

const char* nameOf(Unary::Kind kind);
const char* nameOf(Binary::Kind kind);

/// Whether `small` repeats along axes of `large` to its shape.
bool broadcastsTo(const Shape& small, const Shape& large);

}  // namespace jcs
