#include "io/onnx.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "io/onnx_model.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"

namespace jcs {

namespace {

using Extents = std::vector<int64_t>;

constexpr int64_t kBatchAxis = 0;
const Extents kToChannelsFirst{0, 3, 1, 2}, kToChannelsLast{0, 2, 3, 1};

/// Order in memory is the same with channels first and channels last.
bool layoutsAgree(const Shape& shape) { return shape.rank() != 4 || shape[3] == 1 || shape[1] * shape[2] == 1; }

Extents channelsFirst(const Shape& s) { return {s[0], s[3], s[1], s[2]}; }

/// Translates a graph, node by node, into an OnnxModel.
///
/// Layout: values of rank 4 that depend on an input ("data") are N×C×H×W there; whatever depends on states and
/// constants alone ("parameters") keeps its own layout, since convolution weights have ONNX's order already.
class Exporter {
 public:
  Exporter(const Graph& graph, const ParameterSource& parameters, const OnnxOptions& options)
      : graph_(graph), parameters_(parameters), options_(options), model_(options.graphName) {}

  OnnxModel run();

 private:
  const ValueInfo& info(int id) const { return graph_.values()[static_cast<size_t>(id)]; }
  const Shape& shape(int id) const { return info(id).type.shape; }
  bool isData(int id) const { return data_[static_cast<size_t>(id)]; }
  bool channelsFirstValue(int id) const { return isData(id) && shape(id).rank() == 4; }

  void markData();
  std::vector<char> neededNodes() const;
  std::vector<int> operands(const Node& node) const;
  const Node* storedStatistics(const Node& affine) const;

  std::string name(int id);
  std::string onnx(const std::string& type, std::vector<std::string> inputs, OnnxAttributes attributes = {}) {
    return model_.node(type, label_, std::move(inputs), std::move(attributes))[0];
  }
  std::string activated(std::string value, Activation activation) {
    if (activation == Activation::kNone) return value;
    return onnx(activation == Activation::kRelu ? "Relu" : "Sigmoid", {value});
  }
  int64_t axisOf(int id, int axis) const {
    static constexpr int64_t kPlace[] = {0, 2, 3, 1};
    return channelsFirstValue(id) ? kPlace[axis] : axis;
  }
  int64_t channelAxis(int id) const { return axisOf(id, shape(id).rank() - 1); }
  std::string operandOf(int id, int result);
  std::string reshaped(std::string value, const Shape& from, const Shape& to, bool data);
  void requireWholeBatch(int id, bool whole, const Node& node) const;

  void convert(const Node& node);
  std::string convolution(const Node& node);
  std::string transposedConvolution(const Node& node);
  std::string unary(const Node& node);
  std::string binary(const Node& node);
  std::string affine(const Node& node);
  std::vector<std::string> scaleShift(const Node& node);
  std::string product(const Node& node);
  std::string reduction(const Node& node);
  std::string pooling(const Node& node, const PoolAttributes& pool, bool average);
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
  std::vector<char> data_;
  std::map<int, std::string> names_;
  std::string label_;
  int64_t batch_ = 0;
};

void Exporter::markData() {
  data_.resize(graph_.values().size());
  for (size_t id = 0; id < data_.size(); ++id) data_[id] = graph_.values()[id].kind == ValueInfo::Kind::kInput;
  for (const Node& node : graph_.nodes())
    for (const int input : node.inputs)
      if (isData(input))
        for (const int output : node.outputs) data_[static_cast<size_t>(output)] = true;
}

/// The node that makes scale and shift of an Affine from stored statistics, if there is one: together they are ONNX's
/// BatchNormalization.
const Node* Exporter::storedStatistics(const Node& affine) const {
  const int producer = info(affine.inputs[1]).producer;
  if (producer < 0) return nullptr;
  const Node& node = graph_.nodes()[static_cast<size_t>(producer)];
  const bool both = node.op->name() == "batch_norm_scale_shift" && node.outputs[0] == affine.inputs[1] &&
                    node.outputs[1] == affine.inputs[2];
  return both && isData(affine.inputs[0]) && shape(affine.inputs[0]).rank() == 4 ? &node : nullptr;
}

/// What the ONNX form of a node reads.
std::vector<int> Exporter::operands(const Node& node) const {
  if (node.op->name() == "affine") {
    if (const Node* statistics = storedStatistics(node)) {
      std::vector<int> ids{node.inputs[0]};
      ids.insert(ids.end(), statistics->inputs.begin(), statistics->inputs.end());
      return ids;
    }
  }
  return node.inputs;
}

std::vector<char> Exporter::neededNodes() const {
  std::vector<char> nodes(graph_.nodes().size()), values(graph_.values().size());
  for (const auto& [name, id] : graph_.outputs()) values[static_cast<size_t>(id)] = true;
  for (size_t i = nodes.size(); i-- > 0;) {
    const Node& node = graph_.nodes()[i];
    for (const int output : node.outputs) nodes[i] |= values[static_cast<size_t>(output)];
    if (!nodes[i]) continue;
    for (const int input : operands(node)) values[static_cast<size_t>(input)] = true;
  }
  return nodes;
}

/// The ONNX name of a value; states and constants become initialisers when they are first read.
std::string Exporter::name(int id) {
  std::string& found = names_[id];
  if (found.empty()) {
    const ValueInfo& value = info(id);
    invariant(value.kind == ValueInfo::Kind::kState || value.kind == ValueInfo::Kind::kConstant,
              "a value is exported before its producer");
    if (value.kind == ValueInfo::Kind::kConstant) {
      found = model_.initializer("constant", *value.constant);
    } else {
      const Tensor tensor = parameters_(value.name);
      require(tensor.shape() == value.type.shape, errors::kShapeMismatch, [&] {
        return "parameter '" + value.name + "' has shape " + tensor.shape().toString() + ", the network wants " +
               value.type.shape.toString();
      });
      found = model_.initializer(value.name, tensor);
    }
  }
  return found;
}

/// A value as it must look to be combined, element by element, with value `result`: the broadcasting rules of ONNX
/// align the last axes, which are no longer the channels.
std::string Exporter::operandOf(int id, int result) {
  const Shape& s = shape(id);
  if (!channelsFirstValue(result) || s.rank() == 0 || channelsFirstValue(id)) return name(id);
  Shape four{1, 1, 1, 1};
  for (int axis = 0; axis < s.rank(); ++axis) four[4 - s.rank() + axis] = s[axis];
  std::string value = name(id);
  if (layoutsAgree(four)) return onnx("Reshape", {value, model_.integers(channelsFirst(four))});
  if (s.rank() < 4) value = onnx("Reshape", {value, model_.integers(four.extents())});
  return onnx("Transpose", {value}, {{"perm", kToChannelsFirst}});
}

/// The elements of `value`, whose shape here is `from`, under the shape `to`, in the order of our layout.
std::string Exporter::reshaped(std::string value, const Shape& from, const Shape& to, bool data) {
  if (data && !layoutsAgree(from)) value = onnx("Transpose", {value}, {{"perm", kToChannelsLast}});
  const bool direct = data && to.rank() == 4 && layoutsAgree(to);
  Extents target = direct ? channelsFirst(to) : Extents(to.extents().begin(), to.extents().end());
  if (data && options_.dynamicBatch && !target.empty()) {
    // 0 keeps the axis as it is, −1 takes what is left; both follow the batch.
    target[0] = from.rank() > 0 && from[0] == to[0] ? 0 : -1;
    require(target[0] == 0 || (to[0] % batch_ == 0 && from.elements() % batch_ == 0), errors::kUnsupportedFormat,
            "a reshape mixes the batch with other axes; export with a fixed batch");
  }
  value = onnx("Reshape", {value, model_.integers(target)});
  return data && to.rank() == 4 && !direct ? onnx("Transpose", {value}, {{"perm", kToChannelsFirst}}) : value;
}

void Exporter::requireWholeBatch(int id, bool whole, const Node& node) const {
  require(!options_.dynamicBatch || !isData(id) || whole, errors::kUnsupportedFormat, [&] {
    return "op '" + std::string(node.op->name()) + "' cuts the batch, which is to stay open; export with a fixed batch";
  });
}

std::string Exporter::convolution(const Node& node) {
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

std::string Exporter::transposedConvolution(const Node& node) {
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

std::string Exporter::unary(const Node& node) {
  switch (static_cast<const Unary&>(*node.op).kind) {
    case Unary::Kind::kRelu: return onnx("Relu", {name(node.inputs[0])});
    case Unary::Kind::kSigmoid: return onnx("Sigmoid", {name(node.inputs[0])});
    case Unary::Kind::kSqrt: return onnx("Sqrt", {name(node.inputs[0])});
  }
  return "";
}

std::string Exporter::binary(const Node& node) {
  const auto& op = static_cast<const Binary&>(*node.op);
  static constexpr const char* kTypes[] = {"Add", "Sub", "Mul", "Div"};
  const int result = node.outputs[0];
  return activated(onnx(kTypes[static_cast<size_t>(op.kind)],
                        {operandOf(node.inputs[0], result), operandOf(node.inputs[1], result)}),
                   op.activation);
}

std::string Exporter::affine(const Node& node) {
  const Activation activation = static_cast<const Affine&>(*node.op).activation;
  if (const Node* statistics = storedStatistics(node)) {
    std::vector<std::string> inputs;
    for (const int id : operands(node)) inputs.push_back(name(id));
    const float epsilon = static_cast<const BatchNormScaleShift&>(*statistics->op).epsilon;
    return activated(onnx("BatchNormalization", inputs, {{"epsilon", epsilon}}), activation);
  }
  const int result = node.outputs[0];
  const std::string scaled = onnx("Mul", {name(node.inputs[0]), operandOf(node.inputs[1], result)});
  return activated(onnx("Add", {scaled, operandOf(node.inputs[2], result)}), activation);
}

/// gamma / sqrt(variance + epsilon), and beta − mean times that.
std::vector<std::string> Exporter::scaleShift(const Node& node) {
  const auto& op = static_cast<const BatchNormScaleShift&>(*node.op);
  const std::string epsilon = model_.initializer("epsilon", Tensor::fromFloats({}, std::span(&op.epsilon, 1)));
  const std::string deviation = onnx("Sqrt", {onnx("Add", {name(node.inputs[3]), epsilon})});
  const std::string scale = onnx("Div", {name(node.inputs[0]), deviation});
  return {scale, onnx("Sub", {name(node.inputs[1]), onnx("Mul", {name(node.inputs[2]), scale})})};
}

std::string Exporter::product(const Node& node) {
  const auto& op = static_cast<const Matmul&>(*node.op);
  std::vector<std::string> inputs;
  for (const int id : node.inputs) inputs.push_back(name(id));
  return activated(onnx("Gemm", inputs, {{"transA", int64_t{op.transposeA}}, {"transB", int64_t{op.transposeB}}}),
                   op.activation);
}

std::string Exporter::reduction(const Node& node) {
  const auto& op = static_cast<const Reduce&>(*node.op);
  const int input = node.inputs[0];
  const Shape& x = shape(input);
  const int lead = x.rank() - op.target.rank();
  Extents axes;
  Shape kept = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x[axis] == 1 || (axis >= lead && op.target[axis - lead] != 1)) continue;
    axes.push_back(axisOf(input, axis));
    kept[axis] = 1;
  }
  const std::string source = name(input);
  const std::string reduced = axes.empty() ? source
                                           : onnx(op.mean ? "ReduceMean" : "ReduceSum", {source, model_.integers(axes)},
                                                  {{"keepdims", int64_t{1}}});
  return lead == 0 ? reduced : reshaped(reduced, kept, op.target, isData(input));
}

std::string Exporter::pooling(const Node& node, const PoolAttributes& pool, bool average) {
  const Shape &x = shape(node.inputs[0]), &y = shape(node.outputs[0]);
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

std::string Exporter::interpolation(const Node& node) {
  const auto& op = static_cast<const Resize&>(*node.op);
  return onnx("Resize", {name(node.inputs[0]), "", "", model_.integers(Extents{op.height, op.width})},
              {{"mode", std::string("linear")},
               {"coordinate_transformation_mode", std::string(op.alignCorners ? "align_corners" : "half_pixel")},
               {"axes", Extents{2, 3}}});
}

std::string Exporter::concatenation(const Node& node) {
  std::vector<std::string> inputs;
  for (const int id : node.inputs) inputs.push_back(operandOf(id, node.outputs[0]));
  return onnx("Concat", inputs, {{"axis", channelAxis(node.outputs[0])}});
}

std::vector<std::string> Exporter::parts(const Node& node) {
  const auto& op = static_cast<const Split&>(*node.op);
  return model_.node("Split", label_, {name(node.inputs[0]), model_.integers(op.sizes)},
                     {{"axis", channelAxis(node.inputs[0])}}, op.sizes.size());
}

std::string Exporter::box(const Node& node) {
  const auto& op = static_cast<const Slice&>(*node.op);
  const int input = node.inputs[0];
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

std::string Exporter::padding(const Node& node) {
  const auto& op = static_cast<const Pad&>(*node.op);
  const int input = node.inputs[0];
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
std::string Exporter::minMax(const Node& node) {
  const std::string x = name(node.inputs[0]), axes = model_.integers(Extents{1, 2, 3});
  const std::string low = onnx("ReduceMin", {x, axes}), high = onnx("ReduceMax", {x, axes});
  const float smallest = std::numeric_limits<float>::min();
  const std::string floor = model_.initializer("smallest", Tensor::fromFloats({}, std::span(&smallest, 1)));
  return onnx("Div", {onnx("Sub", {x, low}), onnx("Max", {onnx("Sub", {high, low}), floor})});
}

void Exporter::convert(const Node& node) {
  using Single = std::function<std::string(Exporter&, const Node&)>;
  static const std::map<std::string_view, Single> kSingle = {
      {"conv2d", &Exporter::convolution},
      {"conv2d_input_gradient", &Exporter::transposedConvolution},
      {"unary", &Exporter::unary},
      {"binary", &Exporter::binary},
      {"affine", &Exporter::affine},
      {"cast", [](Exporter& e, const Node& n) { return e.name(n.inputs[0]); }},
      {"matmul", &Exporter::product},
      {"reduce", &Exporter::reduction},
      {"max_pool2d",
       [](Exporter& e, const Node& n) { return e.pooling(n, static_cast<const MaxPool2d&>(*n.op).pool, false); }},
      {"average_pool2d",
       [](Exporter& e, const Node& n) { return e.pooling(n, static_cast<const AveragePool2d&>(*n.op).pool, true); }},
      {"resize", &Exporter::interpolation},
      {"concat", &Exporter::concatenation},
      {"slice", &Exporter::box},
      {"pad", &Exporter::padding},
      {"reshape",
       [](Exporter& e, const Node& n) {
         return e.reshaped(e.name(n.inputs[0]), e.shape(n.inputs[0]), e.shape(n.outputs[0]), e.isData(n.inputs[0]));
       }},
      {"softmax",
       [](Exporter& e, const Node& n) {
         return e.onnx("Softmax", {e.name(n.inputs[0])}, {{"axis", e.channelAxis(n.inputs[0])}});
       }},
      {"min_max_normalize", &Exporter::minMax},
  };
  label_ = node.scope;
  std::vector<std::string> results;
  if (const auto found = kSingle.find(node.op->name()); found != kSingle.end()) {
    results = {found->second(*this, node)};
  } else if (node.op->name() == "split") {
    results = parts(node);
  } else if (node.op->name() == "batch_norm_scale_shift") {
    results = scaleShift(node);
  } else {
    fail(errors::kUnsupportedFormat,
         "op '" + std::string(node.op->name()) + "' has no place in an inference graph and no ONNX form");
  }
  for (size_t i = 0; i < results.size(); ++i) names_[node.outputs[i]] = results[i];
}

OnnxModel Exporter::run() {
  markData();
  const auto exposed = [&](const Shape& s) {
    Extents extents = s.rank() == 4 ? channelsFirst(s) : Extents(s.extents().begin(), s.extents().end());
    if (options_.dynamicBatch && !extents.empty()) extents[0] = -1;
    return extents;
  };
  for (size_t id = 0; id < data_.size(); ++id) {
    const ValueInfo& value = graph_.values()[id];
    if (value.kind != ValueInfo::Kind::kInput) continue;
    batch_ = value.type.shape.rank() > 0 ? value.type.shape[0] : 1;
    require(!options_.dynamicBatch || batch_ > 1, errors::kInvalidArgument,
            "an ONNX export with an open batch needs a graph built for a batch of at least 2");
    model_.input(value.name, exposed(value.type.shape));
    names_[static_cast<int>(id)] = value.name;
  }
  const std::vector<char> needed = neededNodes();
  for (size_t i = 0; i < needed.size(); ++i)
    if (needed[i]) convert(graph_.nodes()[i]);
  std::set<int> taken;
  for (const auto& [output, id] : graph_.outputs()) {
    invariant(isData(id), "an output does not depend on the input");
    // A value has one name, and an input's is given.
    const bool own = taken.insert(id).second && info(id).kind == ValueInfo::Kind::kComputed;
    const std::string current = own ? name(id) : onnx("Identity", {name(id)});
    model_.rename(current, output);
    for (auto& [other, known] : names_)
      if (known == current) known = output;
    model_.output(output, exposed(shape(id)));
  }
  return std::move(model_);
}

}  // namespace

void exportOnnx(const Graph& graph, const ParameterSource& parameters, const OnnxOptions& options,
                const std::string& path) {
  Exporter(graph, parameters, options).run().write(path);
}

}  // namespace jcs
