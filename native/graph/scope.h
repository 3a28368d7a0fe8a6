#pragma once

#include <string>

#include "graph/graph.h"

namespace jcs {

/// A place in the network's tree of names. `scope / "conv1"` is a child; a parameter is named by its scope, PyTorch
/// style ("layer1.0.conv1.weight"), and the name alone decides whether a file provides it or the initializer does.
class Scope {
 public:
  explicit Scope(Graph& graph, std::string path = "") : graph_(&graph), path_(std::move(path)) {}

  Scope operator/(const std::string& name) const { return Scope(*graph_, path_.empty() ? name : path_ + "." + name); }
  Scope operator/(int index) const { return *this / std::to_string(index); }

  Graph& graph() const { return *graph_; }
  const std::string& path() const { return path_; }

  Value parameter(const std::string& name, Shape shape, Initializer initializer, bool trainable = true) const {
    return graph_->state((*this / name).path(), {DType::kF32, std::move(shape)}, {initializer, trainable});
  }
  /// Labels the nodes that are added while it lives.
  [[nodiscard]] NodeLabel label() const { return NodeLabel(*graph_, path_); }

 private:
  Graph* graph_;
  std::string path_;
};

}  // namespace jcs
