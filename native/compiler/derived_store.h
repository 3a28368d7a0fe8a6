#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
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

/// What the programs of a model, or of several with the same state, have computed from it and keep: weights folded,
/// rounded and packed. Programs for other batches and sizes mostly want the same, and share it; it lives as long as one
/// of them. Execution thread only.
class DerivedStore {
 public:
  struct Entry {
    std::shared_ptr<DeviceBuffer> memory;  ///< of all entries that were added with it
    std::byte* data = nullptr;
    std::optional<std::vector<uint64_t>> madeFrom;  ///< versions of the states that it was computed from
  };

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
    std::set<const DeviceBuffer*> buffers;
    for (const auto& [key, entry] : entries_)
      if (const auto alive = entry.lock()) buffers.insert(alive->memory.get());
    int64_t sum = 0;
    for (const DeviceBuffer* buffer : buffers) sum += buffer->bytes();
    return sum;
  }
  size_t size() const {
    return static_cast<size_t>(std::ranges::count_if(entries_, [](const auto& e) { return !e.second.expired(); }));
  }

 private:
  std::map<DerivedKey, std::weak_ptr<Entry>> entries_;
};

}  // namespace jcs::compiler
