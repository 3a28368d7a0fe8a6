#include "graph/graph.h"

#include <algorithm>

namespace jcs {

const TensorType& Value::type() const {
  invariant(graph != nullptr, "an invalid value is used");
  return graph->info(*this).type;
}

const Shape& Value::shape() const { return type().shape; }

std::vector<Value> Op::gradient(const GradientContext&) const {
  fail(errors::kInternal, "op '" + std::string(name()) + "' has no gradient rule but one was asked for");
}

double Op::flops(std::span<const TensorType>, std::span<const TensorType> outputs) const {
  return outputs.empty() ? 0.0 : static_cast<double>(outputs[0].elements());
}

void Op::shapeError(std::span<const TensorType> inputs, const std::string& rule) const {
  std::string text = std::string(name()) + "(";
  for (size_t i = 0; i < inputs.size(); ++i)
    text += (i ? ", " : "") + std::string(nameOf(inputs[i].dtype)) + inputs[i].shape.toString();
  const std::string set = attributes();
  fail(errors::kShapeMismatch, text + ")" + (set.empty() ? "" : " with " + set) + ": " + rule);
}

Value Graph::append(ValueInfo info) { return {this, values_.add(std::move(info))}; }

Value Graph::input(const std::string& name, TensorType type) {
  invariant(!inputs_.contains(name), "two graph inputs share a name");
  const Value value = append({ValueInfo::Kind::kInput, std::move(type), name, kNoNode, {}, nullptr});
  inputs_[name] = value.id;
  return value;
}

Value Graph::state(const std::string& name, TensorType type, StateInfo info) {
  if (const auto found = findState(name)) {
    require(found->type() == type, errors::kShapeMismatch, [&] {
      return "state '" + name + "' is used as " + found->shape().toString() + " and as " + type.shape.toString();
    });
    return *found;
  }
  const Value value = append({ValueInfo::Kind::kState, std::move(type), name, kNoNode, info, nullptr});
  states_[name] = value.id;
  return value;
}

Value Graph::constant(Tensor tensor) {
  TensorType type = tensor.type();
  auto shared = std::make_shared<const Tensor>(std::move(tensor));
  return append({ValueInfo::Kind::kConstant, std::move(type), "", kNoNode, {}, std::move(shared)});
}

Value Graph::scalar(float value) { return constant(Tensor::fromFloats({}, std::span(&value, 1))); }

std::vector<Value> Graph::add(std::shared_ptr<const Op> op, std::span<const Value> inputs) {
  std::vector<TensorType> types;
  const NodeId id{static_cast<int>(nodes_.size())};
  Node node{op, {}, {}, label_};
  for (const Value& input : inputs) {
    invariant(input.graph == this, "a node takes a value of another graph");
    types.push_back(input.type());
    node.inputs.push_back(input.id);
  }
  std::vector<Value> results;
  try {
    for (TensorType& type : op->infer(types)) {
      results.push_back(append({ValueInfo::Kind::kComputed, std::move(type), "", id, {}, nullptr}));
      node.outputs.push_back(results.back().id);
    }
  } catch (const Error& error) {
    if (label_.empty()) throw;
    throw Error(error.code(), "in " + label_ + ": " + error.what());
  }
  nodes_.add(std::move(node));
  return results;
}

void Graph::output(const std::string& name, Value value) {
  invariant(value.graph == this && !outputs_.contains(name), "an output is named twice or belongs to another graph");
  outputs_[name] = value.id;
}

void Graph::assign(Value state, Value value) {
  invariant(info(state).kind == ValueInfo::Kind::kState, "only a state can be assigned");
  require(state.shape() == value.shape(), errors::kShapeMismatch, [&] {
    return "state '" + info(state).name + "' of shape " + state.shape().toString() + " cannot take a value of shape " +
           value.shape().toString();
  });
  assignments_.push_back({state.id, value.id});
}

std::optional<Value> Graph::findState(const std::string& name) {
  const auto found = states_.find(name);
  return found == states_.end() ? std::nullopt : std::optional(value(found->second));
}

std::optional<Value> Graph::findInput(const std::string& name) {
  const auto found = inputs_.find(name);
  return found == inputs_.end() ? std::nullopt : std::optional(value(found->second));
}

std::string Graph::toString() const {
  const auto describe = [&](ValueId id) {
    const ValueInfo& value = values_[id];
    return "%" + std::to_string(static_cast<int>(id)) + (value.name.empty() ? "" : "'" + value.name + "'") + ":" +
           nameOf(value.type.dtype) + value.type.shape.toString();
  };
  std::string text;
  for (const Node& node : nodes_) {
    for (const ValueId id : node.outputs) text += describe(id) + " ";
    text += "= " + std::string(node.op->name()) + "{" + node.op->attributes() + "}(";
    for (const ValueId id : node.inputs) text += describe(id) + " ";
    text += ")  # " + node.scope + "\n";
  }
  for (const auto& [name, id] : outputs_) text += "output " + name + " = " + describe(id) + "\n";
  return text;
}

Value addNode(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs) {
  return addNodeWithOutputs(std::move(op), std::span(inputs.begin(), inputs.size()))[0];
}

std::vector<Value> addNodeWithOutputs(std::shared_ptr<const Op> op, std::span<const Value> inputs) {
  invariant(!inputs.empty() && inputs[0], "a node needs at least one valid input");
  return inputs[0].graph->add(std::move(op), inputs);
}

}  // namespace jcs
