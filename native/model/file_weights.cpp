#include "model/file_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/parameters.h"

namespace jcs::model {

FileWeights::FileWeights(io::SafetensorsFile file, const std::vector<std::string>& names) : file_(std::move(file)) {
  const auto entries = stateDictOf(file_);
  for (const std::string& name : names) {
    names_[name] = entries.at(name)->name;
    requireUsable(read(name), name, file_.source());
  }
}

Tensor FileWeights::read(const std::string& name) const {
  Tensor value = file_.load(names_.at(name));
  file_.requireUnchanged();
  return value;
}

void requireUsable(const Tensor& tensor, const std::string& name, const std::string& source) {
  const auto values = tensor.as<float>();
  bool finite = true;
  for (const float value : values) finite &= std::abs(value) <= std::numeric_limits<float>::max();
  require(finite, errors::kNotFinite, [&] { return source + ": '" + name + "' holds a value that is not finite"; });
  const bool isUsable = !name.ends_with("running_var") || std::ranges::all_of(values, [](float v) { return v > 0; });
  require(isUsable, errors::kCorruptFile,
          [&] { return source + ": '" + name + "' holds a variance that is not positive"; });
}

}  // namespace jcs::model
