#include "model/file_weights.h"

#include "model/parameters.h"

namespace jcs::model {

FileWeights::FileWeights(io::SafetensorsFile file, bool areUsable) : file_(std::move(file)) {
  for (const auto& [name, entry] : stateDictOf(file_)) {
    names_[name] = entry->name;
    if (!areUsable) requireUsable(read(name), name, file_.source());
  }
}

Tensor FileWeights::read(const std::string& name) const {
  Tensor value = file_.load(names_.at(name));
  file_.requireUnchanged();
  return value;
}

}  // namespace jcs::model
