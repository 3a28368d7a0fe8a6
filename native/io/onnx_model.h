#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/tensor.h"

namespace jcs::io {

using OnnxAttributes = std::map<std::string, std::variant<int64_t, float, std::string, std::vector<int64_t>>>;

/// An ONNX model under construction: nodes in topological order, initialisers, typed inputs and outputs. Knows the file
/// format and nothing of our graphs.
class OnnxModel {
 public:
  static constexpr int64_t kOpset = 18;  ///< the first whose Resize takes axes, so that the batch can stay open

  explicit OnnxModel(std::string graphName) : graphName_(std::move(graphName)) {}

  /// A dimension below zero is the open batch.
  void input(const std::string& name, std::span<const int64_t> shape);
  void output(const std::string& name, std::span<const int64_t> shape);
  /// Adds a float32 or int64 tensor and returns its name, made unique from `name`.
  std::string initializer(const std::string& name, const Tensor& value);
  std::string integers(std::span<const int64_t> values);
  std::string initializer(const std::string& name, std::span<const int64_t> shape, std::span<const uint8_t> values);
  std::string initializer(const std::string& name, std::span<const int64_t> shape, std::span<const int8_t> values);
  std::string initializer(const std::string& name, std::span<const int64_t> shape, std::span<const int32_t> values);
  /// Adds a node and returns its outputs' names. `label` says where in the network it belongs.
  std::vector<std::string> node(const std::string& type, const std::string& label, std::vector<std::string> inputs,
                                OnnxAttributes attributes = {}, size_t outputs = 1);
  /// Gives what a node produces another, new name everywhere.
  void rename(const std::string& from, const std::string& to);

  /// Writes the file atomically. INPUT_TOO_LARGE above the format's 2 GB.
  void write(const std::string& path) const;

 private:
  std::string add(const std::string& name, int64_t dataType, std::span<const int64_t> shape,
                  std::span<const std::byte> data);

  struct Node {
    std::string type, name;
    std::vector<std::string> inputs, outputs;
    OnnxAttributes attributes;
  };

  std::string unique(const std::string& name);

  std::string graphName_;
  std::vector<Node> nodes_;
  std::vector<std::string> initializers_;  ///< serialised TensorProtos
  std::string inputs_, outputs_;           ///< serialised fields of GraphProto
  std::map<std::vector<int64_t>, std::string> integers_;
  std::set<std::string> names_;
};

}  // namespace jcs::io
