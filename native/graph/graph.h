#pragma once

#include <map>
#include <optional>
#include <utility>

#include "graph/initializer.h"
#include "graph/op.h"
#include "graph/port.h"

namespace jcs {

/// Named memory that outlives a run: parameters, batch-norm statistics, optimiser moments.
struct StateInfo {
  Initializer initializer;
  bool trainable = false;
};

struct Node {
  std::shared_ptr<const Op> op;
  std::vector<ValueId> inputs, outputs;
  std::string scope;  ///< where in the network it was built; for errors, profiles and drawings
};

struct ValueInfo {
  enum class Kind { kInput, kState, kConstant, kComputed };
  Kind kind;
  TensorType type;
  std::string name;           ///< of inputs and states; unique within its kind
  NodeId producer = kNoNode;  ///< when computed
  StateInfo state;
  std::shared_ptr<const Tensor> constant;
};

/// A static network: append-only, hence always in topological order. Shapes are concrete: a graph is built for one
/// batch and image size, which costs well under a millisecond per hundred layers.
class Graph {
 public:
  using Nodes = Table<NodeId, Node>;
  using Values = Table<ValueId, ValueInfo, std::deque<ValueInfo>>;  // references stay valid while the graph grows
  struct Assignment {
    ValueId state, value;
    bool operator==(const Assignment&) const = default;
  };

  Graph() = default;
  Graph(const Graph&) = delete;  // values point at their graph
  Graph& operator=(const Graph&) = delete;

  /// Fed anew at every run.
  Value input(const std::string& name, TensorType type);
  template <typename T>
  Value input(const InputPort<T>& port, Shape shape) {
    return input(port.name, typeOf<T>(std::move(shape)));
  }
  /// The state of that name, added at its first mention; a second mention must agree on the type.
  Value state(const std::string& name, TensorType type, StateInfo info = {});
  Value constant(Tensor value);
  Value scalar(float value);

  /// Adds a node; its outputs' types come from the op's shape rule.
  std::vector<Value> add(std::shared_ptr<const Op> op, std::span<const Value> inputs);

  /// Names a result of the program.
  void output(const std::string& name, Value value);
  template <typename T>
  void output(const OutputPort<T>& port, Value value) {
    output(port.name, value);
  }
  /// At the end of a run, after every reader, `state` takes the value of `value`.
  void assign(Value state, Value value);

  const Nodes& nodes() const { return nodes_; }
  const Values& values() const { return values_; }
  const ValueInfo& info(Value value) const { return values_[value.id]; }
  const std::map<std::string, ValueId>& outputs() const { return outputs_; }
  const std::vector<Assignment>& assignments() const { return assignments_; }
  Value value(ValueId id) { return {this, id}; }
  std::optional<Value> findState(const std::string& name);
  std::optional<Value> findInput(const std::string& name);

  std::string toString() const;

 private:
  friend class NodeLabel;

  Value append(ValueInfo info);

  Nodes nodes_;
  Values values_;
  std::map<std::string, ValueId> inputs_, states_, outputs_;
  std::vector<Assignment> assignments_;
  std::string label_;  ///< of the nodes that are added; NodeLabel sets it
};

/// The `scope` of all nodes that are added while it lives. Where it ends, the one around it holds again.
class NodeLabel {
 public:
  NodeLabel(Graph& graph, std::string label) : graph_(graph), outer_(std::exchange(graph.label_, std::move(label))) {}
  ~NodeLabel() { graph_.label_ = std::move(outer_); }
  NodeLabel(const NodeLabel&) = delete;
  NodeLabel& operator=(const NodeLabel&) = delete;

 private:
  Graph& graph_;
  std::string outer_;
};

/// For the op files: adds `op` and returns its only output.
Value addNode(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs);
std::vector<Value> addNodeWithOutputs(std::shared_ptr<const Op> op, std::span<const Value> inputs);

}  // namespace jcs
