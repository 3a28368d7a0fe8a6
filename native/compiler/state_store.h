#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"

namespace jcs::compiler {

/// The named state of a model on its device: parameters, batch-norm statistics, optimiser moments. Each carries a
/// version, so that whatever was derived from it (folded, packed, rounded) knows when it is stale. Used from the
/// execution thread only, or while nothing runs.
class StateStore {
 public:
  explicit StateStore(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

  struct Entry {
    TensorType type;
    DeviceBuffer memory;
    uint64_t version = 0;
  };

  bool contains(const std::string& name) const { return entries_.contains(name); }
  Entry& at(const std::string& name);
  /// Adds the state, or overwrites it; an existing one must agree on the type.
  void set(const std::string& name, const Tensor& value);
  Tensor get(const std::string& name);
  void eraseIf(const std::function<bool(const std::string& name)>& condition) {
    std::erase_if(entries_, [&](const auto& entry) { return condition(entry.first); });
  }
  void clear() { entries_.clear(); }
  /// Two states of one type take each other's values. Takes no memory.
  static void exchange(Entry& a, Entry& b) noexcept {
    std::swap(a.memory, b.memory);
    ++a.version;
    ++b.version;
  }
  const std::map<std::string, Entry>& entries() const { return entries_; }
  int64_t bytes() const;

 private:
  std::shared_ptr<Backend> backend_;
  std::map<std::string, Entry> entries_;
};

}  // namespace jcs::compiler
