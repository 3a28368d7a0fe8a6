#include "model/file_weights.h"

#include <algorithm>

#include "model/parameters.h"

namespace jcs::model {

FileWeights::FileWeights(io::SafetensorsFile file, bool areUsable)
    : file_(std::move(file)), entries_(stateDictOf(file_)) {
  if (areUsable) return;
  for (const auto& [name, entry] : entries_) requireUsableValues(name, *entry);
  file_.requireUnchanged();
}

void FileWeights::requireUsableValues(const std::string& name, const io::SafetensorsEntry& entry) const {
  constexpr size_t kNumbersAtOnce = 16 << 10;  // which stay in a cache between being read and being checked
  const auto count = static_cast<size_t>(Shape(std::span<const int64_t>(entry.shape)).elements());
  std::vector<float> part(std::min(count, kNumbersAtOnce));
  for (size_t at = 0; at < count; at += part.size()) {
    const auto values = std::span(part).first(std::min(part.size(), count - at));
    file_.readFloats(entry, at, values);
    requireUsable(values, name, file_.source());
  }
}

void FileWeights::read(const std::string& name, std::span<float> value) const {
  file_.readFloats(*entries_.at(name), 0, value);
  file_.requireUnchanged();
}

}  // namespace jcs::model
