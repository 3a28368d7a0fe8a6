#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/onnx.h"
#include "io/onnx_model.h"
#include "ops/activation.h"
#include "ops/pool.h"
#include "ops/quantized.h"

namespace jcs::io {

using Extents = std::vector<int64_t>;

/// Translates a graph, node by node, into an OnnxModel.
///
/// Layout: values of rank 4 that depend on an input ("data") are N×C×H×W there; whatever depends on states and
/// constants alone ("parameters") keeps its own layout, since convolution weights have ONNX's order already.
class OnnxExporter {
 public:
  OnnxExporter(const Graph& graph, const ParameterSource& parameters, const OnnxOptions& options)
      : graph_(graph), parameters_(parameters), options_(options), model_(options.graphName) {}

  OnnxModel run();

 private:
  const ValueInfo& info(ValueId id) const { return graph_.values()[id]; }
  const Shape& shape(ValueId id) const { return info(id).type.shape; }
  bool isData(ValueId id) const { return isData_[id]; }
  bool hasChannelsFirst(ValueId id) const { return isData(id) && shape(id).rank() == 4; }

  void markData();
  PerNode<bool> neededNodes() const;
  std::vector<ValueId> operands(const Node& node) const;
  const Node* storedStatistics(const Node& affine) const;

  std::string name(ValueId id);
  /// Of a state or a constant.
  Tensor valueOf(ValueId id) const;
  /// Adds an ONNX node with one output.
  std::string onnx(const std::string& type, std::vector<std::string> inputs, OnnxAttributes attributes = {}) {
    return model_.node(type, label_, std::move(inputs), std::move(attributes))[0];
  }
  std::string activated(std::string value, Activation activation) {
    if (activation == Activation::kNone) return value;
    return onnx(activation == Activation::kRelu ? "Relu" : "Sigmoid", {value});
  }
  int64_t axisOf(ValueId id, int axis) const {
    static constexpr int64_t kPlace[] = {0, 2, 3, 1};
    return hasChannelsFirst(id) ? kPlace[axis] : axis;
  }
  int64_t channelAxis(ValueId id) const { return axisOf(id, shape(id).rank() - 1); }
  std::string operandOf(ValueId id, ValueId result);
  std::string reshaped(std::string value, const Shape& from, const Shape& to, bool data);
  /// The two operands that follow the first of QuantizeLinear and DequantizeLinear.
  std::vector<std::string> withCode(std::string value, const Quantization& code);
  /// A value that bytes stand for, by that code, as numbers.
  std::string numbersOf(ValueId id, const Quantization& code);
  void requireWholeBatch(ValueId id, bool whole, const Node& node) const;

  // One function an op, in onnx_ops.cpp.
  void convert(const Node& node);
  std::string convolution(const Node& node);
  std::string transposedConvolution(const Node& node);
  std::string quantization(const Node& node);
  std::string quantizedConvolution(const Node& node);
  std::string unary(const Node& node);
  std::string binary(const Node& node);
  std::string affine(const Node& node);
  std::vector<std::string> scaleShift(const Node& node);
  std::string product(const Node& node);
  std::string reduction(const Node& node);
  std::string pooling(const Node& node, const PoolAttributes& pool, bool average);
  std::string binning(const Node& node, int64_t bins);
  std::string interpolation(const Node& node);
  std::string concatenation(const Node& node);
  std::vector<std::string> parts(const Node& node);
  std::string box(const Node& node);
  std::string padding(const Node& node);
  std::string minMax(const Node& node);

  const Graph& graph_;
  const ParameterSource& parameters_;
  const OnnxOptions& options_;
  OnnxModel model_;
  PerValue<bool> isData_;                 ///< depends on an input
  std::map<ValueId, std::string> names_;  ///< in the model
  std::string label_;                     ///< scope of the node being converted
  int64_t batch_ = 1;                     ///< samples that the graph was built for
};

}  // namespace jcs::io
