#include "train/rank_exchange.h"

#include <cstring>
#include <vector>

namespace jcs::train {

namespace {

void append(std::vector<std::byte>& bytes, const void* data, size_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

}  // namespace

void shareStates(communication::Communicator& communicator, model::Model& model) {
  model.engine().runAndWait([&] {
    model.requireAlive();
    compiler::StateStore& states = model.states();
    std::vector<std::string> names;
    for (const auto& [name, entry] : states.entries()) names.push_back(name);
    for (const std::string& name : names) {
      Tensor value = states.get(name);
      communicator.broadcast({value.data(), static_cast<size_t>(value.bytes())});
      if (communicator.rank() != 0) states.set(name, value);
    }
  });
}

void shareMetrics(communication::Communicator& communicator, metrics::Metrics& metrics) {
  // A name, a zero, eight bytes of the value, and so on.
  std::vector<std::byte> bytes;
  if (communicator.rank() == 0)
    for (const auto& [name, value] : metrics) {
      append(bytes, name.c_str(), name.size() + 1);
      append(bytes, &value, sizeof value);
    }
  uint64_t size = bytes.size();
  communicator.broadcast(std::as_writable_bytes(std::span(&size, 1)));
  bytes.resize(size);
  communicator.broadcast(bytes);
  metrics.clear();
  for (const std::byte *at = bytes.data(), *end = at + size; at != end;) {
    const std::string name = reinterpret_cast<const char*>(at);
    at += name.size() + 1;
    double value = 0;
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    metrics[name] = value;
  }
}

}  // namespace jcs::train
