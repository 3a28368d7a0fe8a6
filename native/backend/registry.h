#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "backend/backend.h"

namespace jcs {

/// What a kernel factory is told.
template <typename Device>
struct Preparation {
  const Op& op;
  std::span<const Operand> inputs, outputs;
  Device& device;
  const KernelOptions& options;

  /// The op's attributes; its name was matched, so the type is known.
  template <typename T>
  const T& as() const {
    return static_cast<const T&>(op);
  }
};

/// The kernels of one backend, by op name. Each backend has one table, filled by a function per kernel file.
template <typename Device>
class KernelRegistry {
 public:
  using Factory = std::function<std::unique_ptr<Kernel>(const Preparation<Device>&)>;
  /// Says which operands of the op may be channel slices.
  using Strided = std::function<bool(const Op& op, bool isOutput, int index)>;

  /// Says whether the factory takes the operands of several such ops at once.
  using Together = std::function<bool(std::span<const Operand> inputs, std::span<const Operand> outputs)>;
  /// Makes all kernels of which the factory takes one.
  using Choices = std::function<std::vector<std::unique_ptr<Kernel>>(const Preparation<Device>&)>;

  template <typename T>
  void add(Factory factory, Strided strided = nullptr, Together together = nullptr) {
    const bool isNew =
        entries_.emplace(T::kName, Entry{std::move(factory), std::move(strided), std::move(together), nullptr}).second;
    invariant(isNew, "two kernels register for one op");
  }
  /// Of an op that was added.
  template <typename T>
  void addChoices(Choices choices) {
    entries_.at(T::kName).choices = std::move(choices);
  }
  std::unique_ptr<Kernel> prepare(const Preparation<Device>& p) const {
    const auto found = entries_.find(p.op.name());
    invariant(found != entries_.end(), "an op has no kernel on this backend");
    return found->second.factory(p);
  }
  std::vector<std::unique_ptr<Kernel>> choices(const Preparation<Device>& p) const {
    const auto found = entries_.find(p.op.name());
    if (found == entries_.end() || !found->second.choices) return {};
    return found->second.choices(p);
  }
  bool acceptsRowStride(const Op& op, bool isOutput, int index) const {
    const auto found = entries_.find(op.name());
    return found != entries_.end() && found->second.strided && found->second.strided(op, isOutput, index);
  }
  bool preparesTogether(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs) const {
    const auto found = entries_.find(op.name());
    return found != entries_.end() && found->second.together && found->second.together(inputs, outputs);
  }
  std::vector<std::string> ops() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.emplace_back(name);
    return names;
  }

 private:
  struct Entry {
    Factory factory;
    Strided strided;
    Together together;
    Choices choices;
  };
  std::map<std::string_view, Entry> entries_;
};

}  // namespace jcs
