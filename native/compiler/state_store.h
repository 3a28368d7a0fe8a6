#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"

namespace jcs::compiler {

/// Has the values of states that need not be in memory: a model's file.
class StateSource {
 public:
  virtual ~StateSource() = default;
  /// Fills `value`, which has all of the state's elements: with the same each time, or an error that says why there are
  /// none any more.
  virtual void read(const std::string& name, std::span<float> value) const = 0;
};

/// The named state of a model on its device: parameters, batch-norm statistics, optimiser moments. Each carries a
/// version, so that whatever was derived from it (folded, packed, rounded) knows when it is stale. What has a source is
/// in memory only from when it is asked for. Used from the execution thread only, or while nothing runs.
class StateStore {
 public:
  explicit StateStore(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

  struct Entry {
    TensorType type;
    DeviceBuffer memory;  ///< none while the source alone has the value
    uint64_t version = 0;
    std::shared_ptr<const StateSource> source;  ///< none once the value was changed here
  };

  bool contains(const std::string& name) const { return entries_.contains(name); }
  const Entry& entry(const std::string& name) const;
  /// In memory.
  Entry& at(const std::string& name);
  /// Adds the state, or overwrites it; an existing one must agree on the type.
  void set(const std::string& name, const Tensor& value);
  /// Adds the state, or says that its value is what the source has.
  void setSource(const std::string& name, const TensorType& type, std::shared_ptr<const StateSource> source);
  /// Fills memory of the device with a value that only its source has, and leaves it there.
  void readInto(const std::string& name, std::byte* memory) const;
  /// All values in memory from now on, to be changed there.
  void detach();
  Tensor get(const std::string& name);
  void eraseIf(const std::function<bool(const std::string& name)>& condition) {
    std::erase_if(entries_, [&](const auto& entry) {
      if (!condition(entry.first)) return false;
      bytes_ -= entry.second.memory.bytes();
      return true;
    });
  }
  void clear() {
    entries_.clear();
    bytes_ = 0;
  }
  /// Two states of one type, neither of which has a source, take each other's values. Takes no memory.
  static void exchange(Entry& a, Entry& b) noexcept {
    std::swap(a.memory, b.memory);
    ++a.version;
    ++b.version;
  }
  const std::map<std::string, Entry>& entries() const { return entries_; }
  /// In memory.
  int64_t bytes() const { return bytes_; }

 private:
  void bring(const std::string& name, Entry& entry);
  /// The entry has that memory from now on, instead of what it has.
  void replaceMemory(Entry& entry, DeviceBuffer memory) noexcept;

  std::shared_ptr<Backend> backend_;
  std::map<std::string, Entry> entries_;
  int64_t bytes_ = 0;
};

}  // namespace jcs::compiler
