#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "graph/attributes.h"
#include "graph/table.h"

namespace jcs {

class Graph;

/// A symbolic tensor: a handle into the graph that it belongs to. Cheap to copy; invalid when default constructed.
struct Value {
  Graph* graph = nullptr;
  ValueId id{-1};

  explicit operator bool() const { return graph != nullptr; }
  const TensorType& type() const;
  const Shape& shape() const;
  bool operator==(const Value&) const = default;
};

/// What dtype an op wants an input in when a program is compiled for bf16.
enum class Precision {
  kFloat32,     ///< statistics, losses, small vectors, master weights: always float32
  kActivation,  ///< the operand of a convolution: bf16
  kFollow,      ///< whatever the producer made; operands share the first such one's dtype
  kGradient,    ///< of what follows: that dtype
  kBytes,       ///< bytes, in any precision
};

/// What an op's gradient rule gets. `outputGradients[i]` is invalid when nothing depends on output i.
struct GradientContext {
  std::span<const Value> inputs;
  std::span<const Value> outputs;
  std::span<const Value> outputGradients;
  std::span<const bool> wanted;  ///< per input: whether its gradient is asked for
};

/// An operation: its attributes, shape rule and gradient rule. Knows no device. A backend implements it under `name()`;
/// kernels recognise an op by that name alone (types have no common identity across shared libraries).
class Op {
 public:
  virtual ~Op() = default;

  virtual std::string_view name() const = 0;
  /// Every attribute: equal text means the same computation.
  virtual std::string attributes() const = 0;
  /// Checks the inputs and gives the outputs' types. Throws SHAPE_MISMATCH naming the op, the shapes and the rule.
  virtual std::vector<TensorType> infer(std::span<const TensorType> inputs) const = 0;
  /// Adds the nodes of the gradient with respect to each wanted input; an invalid Value stands for zero.
  virtual std::vector<Value> gradient(const GradientContext& context) const;
  virtual Precision precision(int /*input*/) const { return Precision::kFloat32; }
  /// The input whose memory output `output` may overwrite element by element, or -1.
  virtual int inPlaceInput(int /*output*/) const { return -1; }
  /// Multiply-adds count as two.
  virtual double flops(std::span<const TensorType> /*inputs*/, std::span<const TensorType> outputs) const;

 protected:
  [[noreturn]] void shapeError(std::span<const TensorType> inputs, const std::string& rule) const;
  void requireShape(bool holds, std::span<const TensorType> inputs, std::string_view rule) const {
    if (!holds) [[unlikely]]
      shapeError(inputs, std::string(rule));
  }
};

/// An op by what it says once: its name, `kName`, and its attributes, each of which `visit` hands on by name.
template <typename Self>
class OpOf : public Op {
 public:
  std::string_view name() const final { return Self::kName; }
  std::string attributes() const final { return textOf(static_cast<const Self&>(*this)); }
};

/// The op as a `T`, or null when it is another. Goes by name: types have no common identity across shared libraries.
template <typename T>
const T* as(const Op& op) {
  return op.name() == T::kName ? static_cast<const T*>(&op) : nullptr;
}
template <typename T>
bool is(const Op& op) {
  return op.name() == T::kName;
}

/// float32 for bf16, else the dtype itself: what sums over `dtype` are kept in.
inline DType accumulatorOf(DType dtype) { return dtype == DType::kBF16 ? DType::kF32 : dtype; }

}  // namespace jcs
