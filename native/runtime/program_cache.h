#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "compiler/program.h"

namespace jcs {

/// The compiled programs of one model, least recently used out: by number, since each holds prepacked weights.
/// Execution thread only.
class ProgramCache {
 public:
  explicit ProgramCache(size_t capacity = 6) : capacity_(capacity) {}

  /// The program of that key, compiled by `compile` if it is not there.
  std::shared_ptr<Program> get(const std::string& key, const std::function<std::shared_ptr<Program>()>& compile) {
    for (auto place = entries_.begin(); place != entries_.end(); ++place) {
      if (place->first != key) continue;
      entries_.splice(entries_.begin(), entries_, place);
      return place->second;
    }
    while (entries_.size() >= capacity_) entries_.pop_back();  // first, to make room on the device
    entries_.emplace_front(key, compile());
    return entries_.front().second;
  }
  void clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }

 private:
  size_t capacity_;
  std::list<std::pair<std::string, std::shared_ptr<Program>>> entries_;
};

}  // namespace jcs
