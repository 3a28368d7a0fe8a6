#include "compiler/program.h"

#include <algorithm>
#include <functional>

namespace jcs {

namespace {

void throwIfCancelled(const std::atomic<bool>* cancelled) {
  if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed))
    fail(errors::kCancelled, "the work was cancelled");
}

}  // namespace

const TensorType& Program::inputType(const std::string& name) const {
  const auto found = inputs_.find(name);
  invariant(found != inputs_.end(), "a program has no such input");
  return found->second.type;
}

const TensorType& Program::outputType(const std::string& name) const {
  const auto found = outputs_.find(name);
  invariant(found != outputs_.end(), "a program has no such output");
  return found->second.type;
}

std::byte* Program::address(const Location& location) const {
  switch (location.where) {
    case Location::Where::kArena: return arena_ + location.offset;
    case Location::Where::kConstants: return constants_.data() + location.offset;
    case Location::Where::kDerived: return derived_[static_cast<size_t>(location.index)].entry->data + location.offset;
    case Location::Where::kState: return stateMemory_[static_cast<size_t>(location.index)] + location.offset;
  }
  return nullptr;
}

void Program::pack(Step& step, size_t packing) {
  const Packing& p = step.packings[packing];
  step.kernel->pack(p.input, address(step.inputs[static_cast<size_t>(p.input)]), address(p.packed));
}

void Program::execute(Step& step) {
  argumentsIn_.clear();
  argumentsOut_.clear();
  for (const Location& input : step.inputs) argumentsIn_.push_back(address(input));
  for (const Location& output : step.outputs) argumentsOut_.push_back(address(output));
  for (const Packing& p : step.packings) argumentsIn_[static_cast<size_t>(p.input)] = address(p.packed);
  step.kernel->run(argumentsIn_, argumentsOut_, arena_ + step.scratchOffset);
}

void Program::bindStates(StateStore& states) {
  stateMemory_.clear();
  for (size_t i = 0; i < stateNames_.size(); ++i) {
    StateStore::Entry& entry = states.at(stateNames_[i]);
    invariant(entry.type == stateTypes_[i], "a state's type differs from the program's");
    stateMemory_.push_back(entry.memory.data());
  }
  std::vector<uint64_t> versions;
  for (size_t i = 0; i < stateNames_.size(); ++i)
    versions.push_back(stateIsAssigned_[i] ? 0 : states.at(stateNames_[i]).version);
  if (versions == derivedFrom_) return;
  derivedFrom_.clear();  // stays stale if refreshing throws
  refreshDerived(versions);
  derivedFrom_ = std::move(versions);
}

void Program::refreshDerived(const std::vector<uint64_t>& versions) {
  const auto sourceVersions = [&](const Derived& derived) {
    std::vector<uint64_t> found;
    for (const int state : derived.sources) found.push_back(versions[static_cast<size_t>(state)]);
    return found;
  };
  std::vector<char> stale;  // another program may have made some, or all
  for (const Derived& derived : derived_) {
    stale.push_back(derived.entry->madeFrom != sourceVersions(derived));
    if (stale.back()) derived.entry->madeFrom.reset();
  }
  if (std::ranges::none_of(stale, std::identity())) return;
  const auto packAfter = [&](int index) {
    for (const auto& [after, step, packing] : cachedPackings_)
      if (after == index && stale[static_cast<size_t>(steps_[step].packings[packing].packed.index)])
        pack(steps_[step], packing);
  };
  packAfter(-1);
  for (size_t i = 0; i < prologue_.size(); ++i) {
    Step& step = prologue_[i];
    for (size_t p = 0; p < step.packings.size(); ++p) pack(step, p);
    execute(step);
    packAfter(static_cast<int>(i));
  }
  for (const Derived& derived : derived_) derived.entry->madeFrom = sourceVersions(derived);
}

void Program::runStep(Step& step) {
  for (size_t p = 0; p < step.packings.size(); ++p)
    if (step.packings[p].packed.where == Location::Where::kArena) pack(step, p);
  execute(step);
}

void Program::copyResults() {
  for (const Copy& copy : finalCopies_) backend_->copy(address(copy.to), address(copy.from), copy.bytes);
}

void Program::runSteps(const std::atomic<bool>* cancelled) {
  bool changed = false;
  for (Step& step : steps_) {
    changed |= step.changesState;
    if (!changed) throwIfCancelled(cancelled);
    runStep(step);
  }
  copyResults();
}

bool Program::replaySteps(const std::atomic<bool>* cancelled) {
  std::vector<const std::byte*> memory{arena_};
  memory.insert(memory.end(), stateMemory_.begin(), stateMemory_.end());
  if (memory != recorded_.memory) {
    // Recorded when it comes again: programs that run once gain nothing, and libraries load their kernels when these
    // first run, which must not happen while recording.
    recorded_ = {std::move(memory), nullptr, false};
    return false;
  }
  if (!recorded_.tried) {
    recorded_.tried = true;
    recorded_.recording = backend_->record([&] { runSteps(nullptr); });
  }
  if (!recorded_.recording) return false;
  throwIfCancelled(cancelled);
  recorded_.recording->replay();
  return true;
}

void Program::profileSteps() {
  std::vector<std::function<void()>> parts;
  for (Step& step : steps_) parts.emplace_back([this, &step] { runStep(step); });
  const std::vector<double> seconds = backend_->time(parts);
  for (size_t i = 0; i < steps_.size(); ++i) infos_[i].seconds = seconds[i];
  copyResults();
}

void Program::run(StateStore& states, std::byte* arena, const Bindings& bindings, const std::atomic<bool>* cancelled) {
  arena_ = arena;
  bindStates(states);
  const auto bytesOf = [](const auto& name, const Named& named, const auto& memory) {
    const auto bytes = static_cast<int64_t>(memory.bytes.size());
    const bool fits = bytes == named.type.bytes() || (memory.isBeginning && bytes < named.type.bytes());
    require(fits, errors::kInternal, [&] {
      return "'" + name + "' takes " + std::to_string(named.type.bytes()) + " bytes, bound are " +
             std::to_string(bytes);
    });
    return bytes;
  };
  for (const auto& [name, named] : inputs_) {
    const auto given = bindings.inputs().find(name);
    require(given != bindings.inputs().end(), errors::kInternal, [&] { return "input '" + name + "' is not bound"; });
    backend_->upload(address(named.location), given->second.bytes.data(), bytesOf(name, named, given->second));
  }
  if (profiling_) {
    profileSteps();
  } else if (!replaySteps(cancelled)) {
    runSteps(cancelled);
  }
  for (size_t i = 0; i < stateNames_.size(); ++i)
    if (stateIsAssigned_[i]) ++states.at(stateNames_[i]).version;
  for (const auto& [name, memory] : bindings.outputs()) {
    const auto found = outputs_.find(name);
    require(found != outputs_.end(), errors::kInternal, [&] { return "output '" + name + "' does not exist"; });
    backend_->download(memory.bytes.data(), address(found->second.location), bytesOf(name, found->second, memory));
  }
}

}  // namespace jcs
