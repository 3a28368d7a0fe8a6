#pragma once

#include <deque>
#include <map>
#include <optional>

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
  std::vector<int> inputs;   ///< value ids
  std::vector<int> outputs;  ///< value ids
  std::string scope;         ///< where in the network it was built; for errors, profiles and drawings
};

struct ValueInfo {
  enum class Kind { kInput, kState, kConstant, kComputed };
  Kind kind;
  TensorType type;
  std::string name;   ///< of inputs and states; unique within its kind
  int producer = -1;  ///< node id, when computed
  StateInfo state;
  std::shared_ptr<const Tensor> constant;
};

/// A static network: append-only, hence always in topological order. Shapes are concrete: a graph is built for one
/// batch and image size, which costs well under a millisecond per hundred layers.
class Graph {
 public:
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

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::deque<ValueInfo>& values() const { return values_; }
  const ValueInfo& info(Value value) const { return values_[static_cast<size_t>(value.id)]; }
  const std::map<std::string, int>& outputs() const { return outputs_; }
  const std::vector<std::pair<int, int>>& assignments() const { return assignments_; }
  Value value(int id) { return {this, id}; }
  std::optional<Value> findState(const std::string& name);
  std::optional<Value> findInput(const std::string& name);

  /// Label of the nodes added from now on; set by Scope.
  std::string scope;

  std::string toString() const;

 private:
  Value append(ValueInfo info);

  std::vector<Node> nodes_;
  std::deque<ValueInfo> values_;  // a deque: references stay valid while the graph grows
  std::map<std::string, int> inputs_, states_, outputs_;
  std::vector<std::pair<int, int>> assignments_;
};

/// For the op files: adds `op` and returns its only output.
Value addNode(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs);
std::vector<Value> addNodeWithOutputs(std::shared_ptr<const Op> op, std::span<const Value> inputs);

}  // namespace jcs
