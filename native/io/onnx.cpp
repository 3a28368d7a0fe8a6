#include <algorithm>
#include <set>

#include "io/onnx_exporter.h"
#include "ops/batch_norm.h"
#include "ops/elementwise.h"

namespace jcs::io {

namespace {

const Extents kToChannelsFirst{0, 3, 1, 2}, kToChannelsLast{0, 2, 3, 1};

/// Order in memory is the same with channels first and channels last.
bool layoutsAgree(const Shape& shape) { return shape.rank() != 4 || shape[3] == 1 || shape[1] * shape[2] == 1; }

Extents channelsFirst(const Shape& s) { return {s[0], s[3], s[1], s[2]}; }

}  // namespace

void OnnxExporter::markData() {
  isData_ = PerValue<bool>(graph_.values().size());
  for (const ValueId id : isData_.ids()) isData_[id] = info(id).kind == ValueInfo::Kind::kInput;
  for (const Node& node : graph_.nodes())
    for (const ValueId input : node.inputs)
      if (isData(input))
        for (const ValueId output : node.outputs) isData_[output] = true;
}

/// The node that makes scale and shift of an Affine from stored statistics, if there is one: together they are ONNX's
/// BatchNormalization.
const Node* OnnxExporter::storedStatistics(const Node& affine) const {
  const NodeId producer = info(affine.inputs[1]).producer;
  if (producer == kNoNode) return nullptr;
  const Node& node = graph_.nodes()[producer];
  const bool both =
      is<BatchNormScaleShift>(*node.op) && node.outputs[0] == affine.inputs[1] && node.outputs[1] == affine.inputs[2];
  return both && isData(affine.inputs[0]) && shape(affine.inputs[0]).rank() == 4 ? &node : nullptr;
}

/// What the ONNX form of a node reads.
std::vector<ValueId> OnnxExporter::operands(const Node& node) const {
  if (is<Affine>(*node.op)) {
    if (const Node* statistics = storedStatistics(node)) {
      std::vector<ValueId> ids{node.inputs[0]};
      ids.insert(ids.end(), statistics->inputs.begin(), statistics->inputs.end());
      return ids;
    }
  }
  return node.inputs;
}

PerNode<bool> OnnxExporter::neededNodes() const {
  PerNode<bool> nodes(graph_.nodes().size());
  PerValue<bool> values(graph_.values().size());
  for (const auto& [name, id] : graph_.outputs()) values[id] = true;
  for (const NodeId id : nodes.ids() | std::views::reverse) {
    const Node& node = graph_.nodes()[id];
    nodes[id] = std::ranges::any_of(node.outputs, [&](ValueId output) { return values[output]; });
    if (!nodes[id]) continue;
    for (const ValueId input : operands(node)) values[input] = true;
  }
  return nodes;
}

/// The ONNX name of a value; states and constants become initialisers when they are first read.
std::string OnnxExporter::name(ValueId id) {
  std::string& found = names_[id];
  if (found.empty()) {
    const ValueInfo& value = info(id);
    invariant(value.kind == ValueInfo::Kind::kState || value.kind == ValueInfo::Kind::kConstant,
              "a value is exported before its producer");
    found = value.kind == ValueInfo::Kind::kConstant ? model_.initializer("constant", *value.constant)
                                                     : model_.initializer(value.name, valueOf(id));
  }
  return found;
}

Tensor OnnxExporter::valueOf(ValueId id) const {
  const ValueInfo& value = info(id);
  if (value.kind == ValueInfo::Kind::kConstant) return value.constant->clone();
  invariant(value.kind == ValueInfo::Kind::kState, "a value is neither stored nor constant");
  Tensor tensor = parameters_(value.name);
  require(tensor.shape() == value.type.shape, errors::kShapeMismatch, [&] {
    return "parameter '" + value.name + "' has shape " + tensor.shape().toString() + ", the network wants " +
           value.type.shape.toString();
  });
  return tensor;
}

/// A value as it must look to be combined, element by element, with value `result`: the broadcasting rules of ONNX
/// align the last axes, which are no longer the channels.
std::string OnnxExporter::operandOf(ValueId id, ValueId result) {
  const Shape& s = shape(id);
  if (!hasChannelsFirst(result) || s.rank() == 0 || hasChannelsFirst(id)) return name(id);
  Shape four{1, 1, 1, 1};
  for (int axis = 0; axis < s.rank(); ++axis) four[4 - s.rank() + axis] = s[axis];
  std::string value = name(id);
  if (layoutsAgree(four)) return onnx("Reshape", {value, model_.integers(channelsFirst(four))});
  if (s.rank() < 4) value = onnx("Reshape", {value, model_.integers(four.extents())});
  return onnx("Transpose", {value}, {{"perm", kToChannelsFirst}});
}

/// The elements of `value`, whose shape here is `from`, under the shape `to`, in the order of our layout.
std::string OnnxExporter::reshaped(std::string value, const Shape& from, const Shape& to, bool data) {
  if (data && !layoutsAgree(from)) value = onnx("Transpose", {value}, {{"perm", kToChannelsLast}});
  const bool direct = data && to.rank() == 4 && layoutsAgree(to);
  Extents target = direct ? channelsFirst(to) : Extents(to.extents().begin(), to.extents().end());
  if (data && options_.dynamicBatch && from.rank() > 0 && from[0] % batch_ == 0 && !target.empty()) {
    // The first axis holds the batch. 0 keeps it as it is, −1 takes what is left; both follow the batch.
    require(to[0] % batch_ == 0, errors::kUnsupportedFormat,
            "a reshape mixes the batch with other axes; export with a fixed batch");
    target[0] = from[0] == to[0] ? 0 : -1;
  }
  value = onnx("Reshape", {value, model_.integers(target)});
  return data && to.rank() == 4 && !direct ? onnx("Transpose", {value}, {{"perm", kToChannelsFirst}}) : value;
}

void OnnxExporter::requireWholeBatch(ValueId id, bool whole, const Node& node) const {
  require(!options_.dynamicBatch || !isData(id) || whole, errors::kUnsupportedFormat, [&] {
    return "op '" + std::string(node.op->name()) + "' cuts the batch, which is to stay open; export with a fixed batch";
  });
}

OnnxModel OnnxExporter::run() {
  markData();
  const auto exposed = [&](const Shape& s) {
    Extents extents = s.rank() == 4 ? channelsFirst(s) : Extents(s.extents().begin(), s.extents().end());
    if (options_.dynamicBatch && !extents.empty() && extents[0] == batch_) extents[0] = -1;
    return extents;
  };
  for (const ValueId id : graph_.values().ids()) {
    const ValueInfo& value = info(id);
    if (value.kind != ValueInfo::Kind::kInput) continue;
    batch_ = value.type.shape.rank() > 0 ? value.type.shape[0] : 1;
    require(!options_.dynamicBatch || batch_ > 1, errors::kInvalidArgument,
            "an ONNX export with an open batch needs a graph built for a batch of at least 2");
    model_.input(value.name, exposed(value.type.shape));
    names_[id] = value.name;
  }
  const PerNode<bool> needed = neededNodes();
  for (const NodeId id : needed.ids())
    if (needed[id]) convert(graph_.nodes()[id]);
  std::set<ValueId> taken;
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

void exportOnnx(const Graph& graph, const ParameterSource& parameters, const OnnxOptions& options,
                const std::string& path) {
  OnnxExporter(graph, parameters, options).run().write(path);
}

}  // namespace jcs::io
