#pragma once

#include <map>
#include <span>
#include <string>

#include "graph/port.h"

namespace jcs::compiler {

/// The host memory of a run: what every input is read from, and where outputs go. Outputs left out are not copied. The
/// memory has to be there, and as large as the input or output, until the run is over.
class Bindings {
 public:
  template <typename Byte>
  struct Memory {
    std::span<Byte> bytes;
    bool isBeginning = false;  ///< of an input or output of which the rest does not matter
  };

  template <typename T>
  void input(const InputPort<T>& port, std::type_identity_t<std::span<const T>> values) {
    inputs_[port.name] = {std::as_bytes(values)};
  }
  template <typename T>
  void output(const OutputPort<T>& port, std::type_identity_t<std::span<T>> values) {
    outputs_[port.name] = {std::as_writable_bytes(values)};
  }
  /// Of an input that is larger, and whose other values nothing reads.
  template <typename T>
  void beginning(const InputPort<T>& port, std::type_identity_t<std::span<const T>> values) {
    inputs_[port.name] = {std::as_bytes(values), true};
  }
  template <typename T>
  void beginning(const OutputPort<T>& port, std::type_identity_t<std::span<T>> values) {
    outputs_[port.name] = {std::as_writable_bytes(values), true};
  }

  /// By name, for graphs that say their inputs and outputs themselves.
  void input(const std::string& name, const Tensor& values) { inputs_[name] = {bytesOf(values)}; }
  void output(const std::string& name, Tensor& values) { outputs_[name] = {bytesOf(values)}; }
  void output(const std::string& name, float& value) {
    outputs_[name] = {std::as_writable_bytes(std::span(&value, 1))};
  }

  const std::map<std::string, Memory<const std::byte>>& inputs() const { return inputs_; }
  const std::map<std::string, Memory<std::byte>>& outputs() const { return outputs_; }

 private:
  static std::span<const std::byte> bytesOf(const Tensor& tensor) {
    return {tensor.data(), static_cast<size_t>(tensor.bytes())};
  }
  static std::span<std::byte> bytesOf(Tensor& tensor) { return {tensor.data(), static_cast<size_t>(tensor.bytes())}; }

  std::map<std::string, Memory<const std::byte>> inputs_;
  std::map<std::string, Memory<std::byte>> outputs_;
};

}  // namespace jcs::compiler
