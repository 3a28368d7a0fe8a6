#pragma once

#include <deque>
#include <ranges>
#include <vector>

namespace jcs {

/// Places in a graph's lists of values and of nodes, which are in the order of execution. Types of their own: a node is
/// never taken for a value, nor either for a count.
enum class ValueId : int {};
enum class NodeId : int {};
inline constexpr NodeId kNoNode{-1};

/// A list that is indexed by `Id`.
template <typename Id, typename T, typename Storage = std::vector<T>>
class Table {
 public:
  Table() = default;
  explicit Table(size_t count, const T& value = T()) : entries_(count, value) {}

  decltype(auto) operator[](Id id) { return entries_[static_cast<size_t>(id)]; }
  decltype(auto) operator[](Id id) const { return entries_[static_cast<size_t>(id)]; }
  Id add(T entry) {
    entries_.push_back(std::move(entry));
    return Id{static_cast<int>(entries_.size()) - 1};
  }

  bool operator==(const Table&) const = default;
  void clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }
  auto begin() { return entries_.begin(); }
  auto begin() const { return entries_.begin(); }
  auto end() { return entries_.end(); }
  auto end() const { return entries_.end(); }
  /// From first to last.
  auto ids() const {
    return std::views::iota(0, static_cast<int>(size())) | std::views::transform([](int i) { return Id{i}; });
  }

 private:
  Storage entries_;
};

template <typename T>
using PerValue = Table<ValueId, T>;
template <typename T>
using PerNode = Table<NodeId, T>;

}  // namespace jcs
