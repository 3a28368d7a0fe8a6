#include "model/file_weights.h"

#include <algorithm>

#include "model/parameters.h"

namespace jcs::model {

namespace {

/// Stays in a cache between being read and being checked.
constexpr int64_t kCheckedAtOnce = 16 << 10;

void requireUsable(const io::SafetensorsFile& file, const io::SafetensorsEntry& entry, const std::string& name,
                   std::span<float> part) {
  const size_t count = static_cast<size_t>(Shape(std::span<const int64_t>(entry.shape)).elements());
  for (size_t at = 0; at < count; at += part.size()) {
    const auto values = part.first(std::min(part.size(), count - at));
    file.readFloats(entry, at, values);
    model::requireUsable(values, name, file.source());
  }
}

}  // namespace

FileWeights::FileWeights(io::SafetensorsFile file, bool areUsable)
    : file_(std::move(file)), entries_(stateDictOf(file_)) {
  if (areUsable) return;
  std::vector<float> part(kCheckedAtOnce);
  for (const auto& [name, entry] : entries_) requireUsable(file_, *entry, name, part);
  file_.requireUnchanged();
}

void FileWeights::read(const std::string& name, std::span<float> value) const {
  file_.readFloats(*entries_.at(name), 0, value);
  file_.requireUnchanged();
}

}  // namespace jcs::model
