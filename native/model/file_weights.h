#pragma once

#include <map>
#include <string>

#include "compiler/state_store.h"
#include "io/safetensors.h"

namespace jcs::model {

/// A model's parameters where they were loaded from. They are checked when this is made, and must not change while it
/// is used: CORRUPT_FILE where a file was written to.
class FileWeights : public compiler::StateSource {
 public:
  /// Of a file that `checkStateDict` took. NOT_FINITE, and CORRUPT_FILE for a variance that is not positive, unless the
  /// values are known to be usable.
  FileWeights(io::SafetensorsFile file, bool areUsable);

  /// float32, by the name that `stateDictOf` gives it.
  void read(const std::string& name, std::span<float> value) const override;
  /// The same for models of one file, none of which was written to meanwhile; empty where bytes were given.
  std::string identity() const { return file_.identity(); }

 private:
  void requireUsableValues(const std::string& name, const io::SafetensorsEntry& entry) const;

  io::SafetensorsFile file_;
  std::map<std::string, const io::SafetensorsEntry*> entries_;  ///< of the file, by our names
};

}  // namespace jcs::model
