#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "io/onnx_exporter.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"

namespace jcs::io {

namespace {

constexpr int kBatchAxis = 0;

}  // namespace

std::string OnnxExporter::convolution(const Node& node) {
  const auto& op = static_cast<const Conv2d&>(*node.op);
  const auto& c = op.conv;
  const Shape& weight = shape(node.inputs[1]);
  std::vector<std::string> inputs{name(node.inputs[0]), name(node.inputs[1])};
  if (op.bias) inputs.push_back(name(node.inputs[2]));
  std::string y = onnx("Conv", inputs,
                       {{"kernel_shape", Extents{weight[2], weight[3]}},
                        {"strides", Extents{c.stride, c.stride}},
                        {"pads", Extents(4, c.padding)},
                        {"dilations", Extents{c.dilation, c.dilation}},
                        {"group", c.groups}});
  if (op.residual) y = onnx("Add", {y, name(node.inputs[static_cast<size_t>(op.residualInput())])});
  return activated(y, op.activation);
}

std::string OnnxExporter::transposedConvolution(const Node& node) {
  const auto& op = static_cast<const Conv2dInputGradient&>(*node.op);
  const auto& c = op.conv;
  const Shape &dy = shape(node.inputs[0]), &weight = shape(node.inputs[1]);
  // What a strided convolution did not reach at the far edges.
  const auto rest = [&](int64_t wanted, int64_t extent, int64_t kernel) {
    return wanted - ((extent - 1) * c.stride - 2 * c.padding + c.dilation * (kernel - 1) + 1);
  };
  return onnx(
      "ConvTranspose", {name(node.inputs[0]), name(node.inputs[1])},
      {{"kernel_shape", Extents{weight[2], weight[3]}},
       {"strides", Extents{c.stride, c.stride}},
       {"pads", Extents(4, c.padding)},
       {"dilations", Extents{c.dilation, c.dilation}},
       {"output_padding", Extents{rest(op.outputHeight, dy[1], weight[2]), rest(op.outputWidth, dy[2], weight[3])}},
       {"group", c.groups}});
}

std::vector<std::string> OnnxExporter::withCode(std::string value, const Quantization& code) {
  const auto zero = static_cast<uint8_t>(code.zero);
  return {std::move(value), model_.initializer("scale", Tensor::fromFloats({}, std::span(&code.scale, 1))),
          model_.initializer("zero", {}, std::span(&zero, 1))};
}

std::string OnnxExporter::numbersOf(ValueId id, const Quantization& code) {
  return onnx("DequantizeLinear", withCode(name(id), code));
}

std::string OnnxExporter::quantization(const Node& node) {
  return onnx("QuantizeLinear", withCode(name(node.inputs[0]), static_cast<const Quantize&>(*node.op).to));
}

/// Weights, rounded, and biases as runtimes want them that compute in integers: in steps of a product of both.
std::string OnnxExporter::quantizedConvolution(const Node& node) {
  const auto& op = static_cast<const QuantizedConv2d&>(*node.op);
  const Tensor weight = valueOf(node.inputs[1]);
  const Shape& s = weight.shape();
  const int64_t outputs[] = {s[0]};
  const auto values = weight.as<float>();
  const size_t perOutput = values.size() / static_cast<size_t>(s[0]);
  std::vector<float> scales, productScales;
  std::vector<int8_t> rounded;
  for (size_t first = 0; first < values.size(); first += perOutput) {
    const auto own = values.subspan(first, perOutput);
    float largest = 0;
    for (const float value : own) largest = std::max(largest, std::abs(value));
    scales.push_back(weightScale(largest));
    productScales.push_back(scales.back() * op.input.scale);
    for (const float value : own) rounded.push_back(roundedWeight(value, scales.back()));
  }
  const auto byOutput = [&](const std::string& integers, const std::vector<float>& steps) {
    const std::string scale = model_.initializer("scales", Tensor::fromFloats({s[0]}, steps));
    return onnx("DequantizeLinear", {integers, scale}, {{"axis", int64_t{0}}});
  };
  const auto& c = op.conv;
  std::vector<std::string> inputs{numbersOf(node.inputs[0], op.input),
                                  byOutput(model_.initializer("weight", s.extents(), rounded), scales)};
  if (op.bias) {
    const Tensor bias = valueOf(node.inputs[2]);
    std::vector<int32_t> steps;
    for (size_t o = 0; o < productScales.size(); ++o)
      steps.push_back(static_cast<int32_t>(
          std::clamp(std::nearbyint(static_cast<double>(bias.as<float>()[o]) / static_cast<double>(productScales[o])),
                     -2147483647.0, 2147483647.0)));
    inputs.push_back(byOutput(model_.initializer("bias", outputs, steps), productScales));
  }
  std::string y = onnx("Conv", inputs,
                       {{"kernel_shape", Extents{s[2], s[3]}},
                        {"strides", Extents{c.stride, c.stride}},
                        {"pads", Extents(4, c.padding)},
                        {"dilations", Extents{c.dilation, c.dilation}},
                        {"group", c.groups}});
  if (op.residual) {
    const ValueId residual = node.inputs[static_cast<size_t>(op.residualInput())];
    const bool ofBytes = info(residual).type.dtype == DType::kU8;
    y = onnx("Add", {y, ofBytes ? numbersOf(residual, op.residualBytes) : name(residual)});
  }
  y = activated(y, op.activation);
  return op.dtype == DType::kU8 ? onnx("QuantizeLinear", withCode(y, op.output)) : y;
}

std::string OnnxExporter::unary(const Node& node) {
  switch (static_cast<const Unary&>(*node.op).kind) {
    case Unary::Kind::kRelu: return onnx("Relu", {name(node.inputs[0])});
    case Unary::Kind::kSigmoid: return onnx("Sigmoid", {name(node.inputs[0])});
    case Unary::Kind::kSqrt: return onnx("Sqrt", {name(node.inputs[0])});
  }
  return "";
}

std::string OnnxExporter::binary(const Node& node) {
  const auto& op = static_cast<const Binary&>(*node.op);
  static constexpr const char* kTypes[] = {"Add", "Sub", "Mul", "Div"};
  const ValueId result = node.outputs[0];
  return activated(onnx(kTypes[static_cast<size_t>(op.kind)],
                        {operandOf(node.inputs[0], result), operandOf(node.inputs[1], result)}),
                   op.activation);
}

std::string OnnxExporter::affine(const Node& node) {
  const Activation activation = static_cast<const Affine&>(*node.op).activation;
  if (const Node* statistics = storedStatistics(node)) {
    std::vector<std::string> inputs;
    for (const ValueId id : operands(node)) inputs.push_back(name(id));
    const float epsilon = static_cast<const BatchNormScaleShift&>(*statistics->op).epsilon;
    return activated(onnx("BatchNormalization", inputs, {{"epsilon", epsilon}}), activation);
  }
  const ValueId result = node.outputs[0];
  const std::string scaled = onnx("Mul", {name(node.inputs[0]), operandOf(node.inputs[1], result)});
  return activated(onnx("Add", {scaled, operandOf(node.inputs[2], result)}), activation);
}

/// gamma / sqrt(variance + epsilon), and beta − mean times that.
std::vector<std::string> OnnxExporter::scaleShift(const Node& node) {
  const auto& op = static_cast<const BatchNormScaleShift&>(*node.op);
  const std::string epsilon = model_.initializer("epsilon", Tensor::fromFloats({}, std::span(&op.epsilon, 1)));
  const std::string deviation = onnx("Sqrt", {onnx("Add", {name(node.inputs[3]), epsilon})});
  const std::string scale = onnx("Div", {name(node.inputs[0]), deviation});
  return {scale, onnx("Sub", {name(node.inputs[1]), onnx("Mul", {name(node.inputs[2]), scale})})};
}

std::string OnnxExporter::product(const Node& node) {
  const auto& op = static_cast<const Matmul&>(*node.op);
  std::vector<std::string> inputs;
  for (const ValueId id : node.inputs) inputs.push_back(name(id));
  return activated(onnx("Gemm", inputs, {{"transA", int64_t{op.transposeA}}, {"transB", int64_t{op.transposeB}}}),
                   op.activation);
}

std::string OnnxExporter::reduction(const Node& node) {
  const auto& op = static_cast<const Reduce&>(*node.op);
  const ValueId input = node.inputs[0];
  const Shape& x = shape(input);
  const int lead = x.rank() - op.target.rank();
  Extents axes;
  Shape kept = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x[axis] == 1 || (axis >= lead && op.target[axis - lead] != 1)) continue;
    axes.push_back(axisOf(input, axis));
    kept[axis] = 1;
  }
  std::string reduced = name(input);
  if (op.mean && hasChannelsFirst(input) && axes == Extents{2, 3}) {
    reduced = onnx("GlobalAveragePool", {reduced});  // runtimes keep their blocked layouts through it
  } else if (!axes.empty()) {
    reduced = onnx(op.mean ? "ReduceMean" : "ReduceSum", {reduced, model_.integers(axes)}, {{"keepdims", int64_t{1}}});
  }
  return lead == 0 ? reduced : reshaped(reduced, kept, op.target, isData(input));
}

std::string OnnxExporter::pooling(const Node& node, const PoolAttributes& pool, bool average) {
  const Shape &x = shape(node.inputs[0]), &y = shape(node.outputs[0]);
  if (pool.bins > 0) return binning(node, pool.bins);
  // A partial last window becomes padding at the far edge: runtimes do not agree on ceil_mode.
  const auto endPadding = [&](int64_t input, int64_t output) {
    return std::max<int64_t>(0, (output - 1) * pool.stride + pool.kernel - input - pool.padding);
  };
  const int64_t bottom = endPadding(x[1], y[1]), right = endPadding(x[2], y[2]);
  OnnxAttributes attributes{{"kernel_shape", Extents{pool.kernel, pool.kernel}},
                            {"strides", Extents{pool.stride, pool.stride}},
                            {"pads", Extents{pool.padding, pool.padding, bottom, right}}};
  if (average) {
    require(!pool.countIncludePad || (bottom <= pool.padding && right <= pool.padding), errors::kUnsupportedFormat,
            "an average pooling that counts its padding has a partial last window, which ONNX cannot say");
    attributes["count_include_pad"] = int64_t{pool.countIncludePad};
  }
  return onnx(average ? "AveragePool" : "MaxPool", {name(node.inputs[0])}, attributes);
}

/// ONNX has no adaptive pooling. Windows along one side are the rows of a matrix: R·x·Cᵀ for each channel.
std::string OnnxExporter::binning(const Node& node, int64_t bins) {
  const Shape& x = shape(node.inputs[0]);
  const auto shares = [&](int64_t extent, bool transposed) {
    Tensor matrix = Tensor::zeros(DType::kF32, transposed ? Shape{extent, bins} : Shape{bins, extent});
    for (int64_t p = 0; p < bins; ++p) {
      const int64_t begin = p * extent / bins, end = ((p + 1) * extent - 1) / bins + 1;
      for (int64_t i = begin; i < end; ++i)
        matrix.as<float>()[size_t(transposed ? i * bins + p : p * extent + i)] = 1.0f / static_cast<float>(end - begin);
    }
    return model_.initializer("shares", matrix);
  };
  return onnx("MatMul", {shares(x[1], false), onnx("MatMul", {name(node.inputs[0]), shares(x[2], true)})});
}

std::string OnnxExporter::interpolation(const Node& node) {
  const auto& op = static_cast<const Resize&>(*node.op);
  return onnx("Resize", {name(node.inputs[0]), "", "", model_.integers(Extents{op.height, op.width})},
              {{"mode", std::string("linear")},
               {"coordinate_transformation_mode", std::string(op.alignCorners ? "align_corners" : "half_pixel")},
               {"axes", Extents{2, 3}}});
}

std::string OnnxExporter::concatenation(const Node& node) {
  std::vector<std::string> inputs;
  for (const ValueId id : node.inputs) inputs.push_back(operandOf(id, node.outputs[0]));
  return onnx("Concat", inputs, {{"axis", channelAxis(node.outputs[0])}});
}

std::vector<std::string> OnnxExporter::parts(const Node& node) {
  const auto& op = static_cast<const Split&>(*node.op);
  return model_.node("Split", label_, {name(node.inputs[0]), model_.integers(op.sizes)},
                     {{"axis", channelAxis(node.inputs[0])}}, op.sizes.size());
}

std::string OnnxExporter::box(const Node& node) {
  const auto& op = static_cast<const Slice&>(*node.op);
  const ValueId input = node.inputs[0];
  Extents starts, ends, axes;
  for (int axis = 0; axis < shape(input).rank(); ++axis) {
    const bool whole = op.extent[axis] == shape(input)[axis];
    if (axis == kBatchAxis) requireWholeBatch(input, whole, node);
    if (whole) continue;
    starts.push_back(op.begin[axis]);
    ends.push_back(op.begin[axis] + op.extent[axis]);
    axes.push_back(axisOf(input, axis));
  }
  if (axes.empty()) return onnx("Identity", {name(input)});
  return onnx("Slice", {name(input), model_.integers(starts), model_.integers(ends), model_.integers(axes)});
}

std::string OnnxExporter::padding(const Node& node) {
  const auto& op = static_cast<const Pad&>(*node.op);
  const ValueId input = node.inputs[0];
  Extents before, after, axes;
  for (int axis = 0; axis < shape(input).rank(); ++axis) {
    const int64_t rest = op.extent[axis] - op.begin[axis] - shape(input)[axis];
    if (axis == kBatchAxis) requireWholeBatch(input, op.begin[axis] == 0 && rest == 0, node);
    if (op.begin[axis] == 0 && rest == 0) continue;
    before.push_back(op.begin[axis]);
    after.push_back(rest);
    axes.push_back(axisOf(input, axis));
  }
  if (axes.empty()) return onnx("Identity", {name(input)});
  before.insert(before.end(), after.begin(), after.end());
  return onnx("Pad", {name(input), model_.integers(before), "", model_.integers(axes)});
}

/// (x − min) / (max − min); where both are equal the numerator is 0, and dividing by something tiny keeps it.
std::string OnnxExporter::minMax(const Node& node) {
  const std::string x = name(node.inputs[0]), axes = model_.integers(Extents{1, 2, 3});
  const std::string low = onnx("ReduceMin", {x, axes}), high = onnx("ReduceMax", {x, axes});
  const float smallest = std::numeric_limits<float>::min();
  const std::string floor = model_.initializer("smallest", Tensor::fromFloats({}, std::span(&smallest, 1)));
  return onnx("Div", {onnx("Sub", {x, low}), onnx("Max", {onnx("Sub", {high, low}), floor})});
}

void OnnxExporter::convert(const Node& node) {
  using Single = std::function<std::string(OnnxExporter&, const Node&)>;
  static const std::map<std::string_view, Single> kSingle = {
      {Conv2d::kName, &OnnxExporter::convolution},
      {Conv2dInputGradient::kName, &OnnxExporter::transposedConvolution},
      {Quantize::kName, &OnnxExporter::quantization},
      {QuantizedConv2d::kName, &OnnxExporter::quantizedConvolution},
      {Unary::kName, &OnnxExporter::unary},
      {Binary::kName, &OnnxExporter::binary},
      {Affine::kName, &OnnxExporter::affine},
      {Cast::kName, [](OnnxExporter& e, const Node& n) { return e.name(n.inputs[0]); }},
      {Matmul::kName, &OnnxExporter::product},
      {Reduce::kName, &OnnxExporter::reduction},
      {MaxPool2d::kName,
       [](OnnxExporter& e, const Node& n) { return e.pooling(n, static_cast<const MaxPool2d&>(*n.op).pool, false); }},
      {AveragePool2d::kName,
       [](OnnxExporter& e, const Node& n) {
         return e.pooling(n, static_cast<const AveragePool2d&>(*n.op).pool, true);
       }},
      {Resize::kName, &OnnxExporter::interpolation},
      {Concat::kName, &OnnxExporter::concatenation},
      {Slice::kName, &OnnxExporter::box},
      {Pad::kName, &OnnxExporter::padding},
      {Reshape::kName,
       [](OnnxExporter& e, const Node& n) {
         return e.reshaped(e.name(n.inputs[0]), e.shape(n.inputs[0]), e.shape(n.outputs[0]), e.isData(n.inputs[0]));
       }},
      {Softmax::kName,
       [](OnnxExporter& e, const Node& n) {
         return e.onnx("Softmax", {e.name(n.inputs[0])}, {{"axis", e.channelAxis(n.inputs[0])}});
       }},
      {MinMaxNormalize::kName, &OnnxExporter::minMax},
  };
  label_ = node.scope;
  std::vector<std::string> results;
  if (const auto found = kSingle.find(node.op->name()); found != kSingle.end()) {
    results = {found->second(*this, node)};
  } else if (is<Split>(*node.op)) {
    results = parts(node);
  } else if (is<BatchNormScaleShift>(*node.op)) {
    results = scaleShift(node);
  } else {
    fail(errors::kUnsupportedFormat,
         "op '" + std::string(node.op->name()) + "' has no place in an inference graph and no ONNX form");
  }
  for (size_t i = 0; i < results.size(); ++i) names_[node.outputs[i]] = results[i];
}

}  // namespace jcs::io
