#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace jcs::compiler {

/// What a derived value is: equal keys mean the same bytes.
struct DerivedKey {
  std::string computation;  ///< the ops, with their attributes, and the states that they start from
  std::string form;         ///< how a kernel wants it laid out

  auto operator<=>(const DerivedKey&) const = default;
};

/// Memory that derived values lie in, one after the other, each aligned to kMemoryAlignment.
struct DerivedMemory {
  std::shared_ptr<const void> owner;
  std::byte* data;
  int64_t bytes;
};

/// Keeps derived values for other processes that have the same state.
class DerivedArchive {
 public:
  virtual ~DerivedArchive() = default;
  struct Value {
    DerivedKey key;
    int64_t bytes;  ///< with what aligns the next
  };
  /// Memory that has just these values; null when nobody kept them. What is written to it stays in this process.
  virtual std::shared_ptr<const DerivedMemory> find(std::span<const Value> values) noexcept = 0;
  /// Keeps them, sooner or later. The memory has them already, and never gets others.
  virtual void keep(std::vector<Value> values, std::shared_ptr<const DerivedMemory> memory) noexcept = 0;
};

/// What the programs of a model, or of several with the same state, have computed from it and keep: weights folded,
/// rounded and packed. Programs for other batches and sizes mostly want the same, and share it; it lives as long as one
/// of them. Execution thread only.
class DerivedStore {
 public:
  /// With an archive, the state that its programs are run with never changes.
  explicit DerivedStore(std::shared_ptr<DerivedArchive> archive = nullptr) : archive_(std::move(archive)) {}

  struct Entry {
    std::shared_ptr<const DerivedMemory> memory;  ///< of all entries that were added with it
    std::byte* data = nullptr;
    bool isKept = false;                            ///< the archive had it: it is never computed
    std::optional<std::vector<uint64_t>> madeFrom;  ///< versions of the states that it was computed from
  };

  const std::shared_ptr<DerivedArchive>& archive() const { return archive_; }
  /// nullptr when no program has it.
  std::shared_ptr<Entry> find(const DerivedKey& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second.lock();
  }
  void add(const DerivedKey& key, const std::shared_ptr<Entry>& entry) {
    std::erase_if(entries_, [](const auto& other) { return other.second.expired(); });
    entries_[key] = entry;
  }
  /// Of all that is alive.
  int64_t bytes() const {
    std::set<std::shared_ptr<const DerivedMemory>> memories;
    for (const auto& [key, entry] : entries_)
      if (const auto alive = entry.lock()) memories.insert(alive->memory);
    int64_t sum = 0;
    for (const auto& memory : memories) sum += memory->bytes;
    return sum;
  }
  size_t size() const {
    return static_cast<size_t>(std::ranges::count_if(entries_, [](const auto& e) { return !e.second.expired(); }));
  }

 private:
  std::shared_ptr<DerivedArchive> archive_;
  std::map<DerivedKey, std::weak_ptr<Entry>> entries_;
};

}  // namespace jcs::compiler
