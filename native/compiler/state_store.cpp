#include "compiler/state_store.h"

namespace jcs::compiler {

StateStore::Entry& StateStore::at(const std::string& name) {
  const auto found = entries_.find(name);
  require(found != entries_.end(), errors::kMissingParameter,
          [&] { return "the program needs the state '" + name + "', which the model does not have"; });
  return found->second;
}

void StateStore::set(const std::string& name, const Tensor& value) {
  auto [place, added] = entries_.try_emplace(name);
  Entry& entry = place->second;
  if (added) {
    try {
      entry.memory = DeviceBuffer(backend_, value.bytes());
    } catch (...) {
      entries_.erase(place);
      throw;
    }
    entry.type = value.type();
  }
  require(entry.type == value.type(), errors::kShapeMismatch, [&] {
    return "'" + name + "' has shape " + entry.type.shape.toString() + ", a value of shape " +
           value.shape().toString() + " was given";
  });
  backend_->upload(entry.memory.data(), value.data(), value.bytes());
  ++entry.version;
}

Tensor StateStore::get(const std::string& name) {
  const Entry& entry = at(name);
  Tensor value(entry.type);
  backend_->download(value.data(), entry.memory.data(), value.bytes());
  return value;
}

int64_t StateStore::bytes() const {
  int64_t total = 0;
  for (const auto& [name, entry] : entries_) total += entry.memory.bytes();
  return total;
}

}  // namespace jcs::compiler
