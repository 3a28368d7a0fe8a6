#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "compiler/program.h"

namespace jcs::runtime {

/// What one of a model's programs computes, and the sizes that it is compiled for.
struct ProgramKey {
  enum class Kind { kForward, kClassification, kSegmentation };

  Kind kind;
  int64_t samples, height, width;
  bool withMap = false;                     ///< the activation map, or probabilities
  std::string testTime = {};                ///< over which views its outputs are averaged
  int64_t sourceBytes = 0, maskPixels = 0;  ///< where it starts from pixels, the most of a batch

  bool operator==(const ProgramKey&) const = default;
};

/// The compiled programs of one model, least recently used out: by number, since each holds prepacked weights.
/// Execution thread only.
class ProgramCache {
 public:
  explicit ProgramCache(size_t capacity = 6) : capacity_(capacity) {}

  /// The program of that key, compiled by `compile` if it is not there.
  std::shared_ptr<compiler::Program> get(const ProgramKey& key,
                                         const std::function<std::shared_ptr<compiler::Program>()>& compile) {
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
  std::list<std::pair<ProgramKey, std::shared_ptr<compiler::Program>>> entries_;
};

}  // namespace jcs::runtime
