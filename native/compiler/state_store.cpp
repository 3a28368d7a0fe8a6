#include "compiler/state_store.h"

namespace jcs::compiler {

namespace {

/// That only the source has.
Tensor valueOf(const std::string& name, const StateStore::Entry& entry) {
  Tensor value(entry.type);
  entry.source->read(name, value.as<float>());
  return value;
}

}  // namespace

const StateStore::Entry& StateStore::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), errors::kMissingParameter,
          [&] { return "the program needs the state '" + name + "', which the model does not have"; });
  return found->second;
}

StateStore::Entry& StateStore::at(const std::string& name) {
  auto& found = const_cast<Entry&>(entry(name));
  bring(name, found);
  return found;
}

void StateStore::replaceMemory(Entry& entry, DeviceBuffer memory) noexcept {
  bytes_ += memory.bytes() - entry.memory.bytes();
  entry.memory = std::move(memory);
}

void StateStore::bring(const std::string& name, Entry& entry) {
  if (entry.memory.data() != nullptr) return;
  DeviceBuffer memory(backend_, entry.type.bytes());
  readInto(name, memory.data());
  replaceMemory(entry, std::move(memory));
}

void StateStore::readInto(const std::string& name, std::byte* memory) const {
  const Entry& found = entry(name);
  if (backend_->allocatesHostMemory()) {
    found.source->read(name, {reinterpret_cast<float*>(memory), static_cast<size_t>(found.type.shape.elements())});
    return;
  }
  const Tensor value = valueOf(name, found);
  backend_->upload(memory, value.data(), value.bytes());
}

void StateStore::set(const std::string& name, const Tensor& value) {
  const auto found = entries_.find(name);
  Entry* const existing = found == entries_.end() ? nullptr : &found->second;
  require(existing == nullptr || existing->type == value.type(), errors::kShapeMismatch, [&] {
    return "'" + name + "' has shape " + existing->type.shape.toString() + ", a value of shape " +
           value.shape().toString() + " was given";
  });
  DeviceBuffer memory;
  if (existing == nullptr || existing->memory.data() == nullptr) memory = DeviceBuffer(backend_, value.bytes());
  Entry& entry = existing != nullptr ? *existing : entries_[name];
  if (memory.data() != nullptr) replaceMemory(entry, std::move(memory));
  entry.type = value.type();
  entry.source = nullptr;
  backend_->upload(entry.memory.data(), value.data(), value.bytes());
  ++entry.version;
}

void StateStore::setSource(const std::string& name, const TensorType& type, std::shared_ptr<const StateSource> source) {
  invariant(type.dtype == DType::kF32, "a source has float32");
  Entry& entry = entries_[name];
  replaceMemory(entry, {});
  entry.type = type;
  entry.source = std::move(source);
  ++entry.version;
}

void StateStore::detach() {
  for (auto& [name, entry] : entries_) {
    bring(name, entry);
    entry.source = nullptr;
  }
}

Tensor StateStore::get(const std::string& name) {
  const Entry& found = entry(name);
  if (found.memory.data() == nullptr) return valueOf(name, found);
  Tensor value(found.type);
  backend_->download(value.data(), found.memory.data(), value.bytes());
  return value;
}

}  // namespace jcs::compiler
