#include "compiler/program.h"

#include <algorithm>
#include <functional>
#include <set>

#include "compiler/cancellation.h"
#include "compiler/communication_order.h"
#include "compiler/passes.h"
#include "compiler/program_builder.h"
#include "compiler/update_groups.h"
#include "core/alignment.h"
#include "ops/conv2d.h"

namespace jcs::compiler {

Program::Program(const Graph& graph, std::shared_ptr<Backend> backend, const CompileOptions& options,
                 DerivedStore* shared)
    : backend_(std::move(backend)) {
  const int64_t channelMultiple = backend_->channelMultiple(options.activation, options.kernels);
  const auto optimized = gatherUpdates(
      communicateEarly(optimize(graph, options.activation, channelMultiple, options.quantized.get())), *backend_);
  int64_t largest = 0;
  for (const ValueInfo& value : optimized->values()) largest = std::max(largest, value.type.bytes());
  // Before any kernel is prepared: libraries are not made for sizes that no memory holds.
  requireRoom(largest, 0, options.heldArenaBytes);
  ProgramBuilder builder(*this, *optimized, *backend_, options.kernels);
  builder.build();
  allocate(shared, options.heldArenaBytes);
  for (const auto& [offset, tensor] : builder.constants())
    backend_->upload(constants_.data() + offset, tensor->data(), tensor->bytes());
}

void Program::requireRoom(int64_t arenaBytes, int64_t otherBytes, int64_t heldBytes) const {
  // An arena that is large enough stays; a smaller one is given up before another takes its place.
  const int64_t available = backend_->freeBytes() + heldBytes;
  const int64_t needed = std::max(arenaBytes, heldBytes) + otherBytes;
  require(needed <= available, errors::kOutOfMemory, [&] {
    return "the program needs " + std::to_string(arenaBytes + otherBytes) + " bytes on '" + backend_->device().name +
           "', of which " + std::to_string(available) + " are free; use a smaller batch, image or width";
  });
}

void Program::allocate(DerivedStore* shared, int64_t heldArenaBytes) {
  std::vector<Derived*> shareable, own;  // that are missing
  for (Derived& derived : derived_) {
    const bool hasKey = shared && derived.key;
    if (hasKey) derived.entry = shared->find(*derived.key);
    if (!derived.entry) (hasKey ? shareable : own).push_back(&derived);
  }
  const auto archive = shared ? shared->archive() : nullptr;
  std::vector<DerivedArchive::Value> values;
  for (const Derived* derived : shareable)
    if (archive) values.push_back({*derived->key, derived->bytes});
  const auto kept = values.empty() ? nullptr : archive->find(values);
  int64_t missing = 0;
  for (const Derived* derived : own) missing += derived->bytes;
  for (const Derived* derived : shareable) missing += kept ? 0 : derived->bytes;
  requireRoom(arenaBytes_, constantBytes_ + missing, heldArenaBytes);
  constants_ = DeviceBuffer(backend_, std::max(constantBytes_, kMemoryAlignment));
  if (!own.empty()) place(own, allocateDerived(own), false);
  if (shareable.empty()) return;
  const auto memory = kept ? kept : allocateDerived(shareable);
  place(shareable, memory, kept != nullptr);
  for (const Derived* derived : shareable) shared->add(*derived->key, derived->entry);
  if (archive && !kept) unkept_ = {archive, std::move(values), memory};
}

std::shared_ptr<const DerivedMemory> Program::allocateDerived(std::span<Derived* const> values) const {
  int64_t bytes = 0;
  for (const Derived* derived : values) bytes += derived->bytes;
  const auto buffer = std::make_shared<const DeviceBuffer>(backend_, bytes);
  return std::make_shared<const DerivedMemory>(buffer, buffer->data(), bytes);
}

void Program::place(std::span<Derived* const> values, const std::shared_ptr<const DerivedMemory>& memory, bool isKept) {
  std::byte* next = memory->data;
  for (Derived* derived : values) {
    derived->entry = std::make_shared<DerivedStore::Entry>(memory, next, isKept);
    next += derived->bytes;
  }
}

void Program::keepDerived() noexcept {
  if (!unkept_) return;
  unkept_->archive->keep(std::move(unkept_->values), std::move(unkept_->memory));
  unkept_.reset();
}

void Program::settleMemory() noexcept {
  backend_->settle(arena_, arenaBytes_);
  backend_->settle(constants_.data(), constants_.bytes());
  std::set<const DerivedMemory*> memories;
  for (const Derived& derived : derived_)
    if (!derived.entry->isKept && memories.insert(derived.entry->memory.get()).second)
      backend_->settle(derived.entry->memory->data, derived.entry->memory->bytes);
}

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
  return std::visit([&](auto memory) { return base(memory); }, location.memory) + location.offset;
}

void Program::pack(Step& step, const Packing& packing) {
  const Location& input = step.inputs[static_cast<size_t>(packing.input)];
  step.kernel->pack(packing.input, address(input), address(packing.packed));
}

void Program::execute(Step& step) {
  argumentsIn_.assign(step.inputs.size(), nullptr);  // what is packed may be in memory in that form alone
  argumentsOut_.clear();
  for (const Packing& p : step.packings) argumentsIn_[static_cast<size_t>(p.input)] = address(p.packed);
  for (size_t i = 0; i < step.inputs.size(); ++i)
    if (argumentsIn_[i] == nullptr) argumentsIn_[i] = address(step.inputs[i]);
  for (const Location& output : step.outputs) argumentsOut_.push_back(address(output));
  step.kernel->run(argumentsIn_, argumentsOut_, arena_ + step.scratchOffset);
}

void Program::bindStates(StateStore& states) {
  stateMemory_.clear();
  Table<StateIndex, uint64_t> versions;
  for (const State& state : states_) {
    const StateStore::Entry& entry = state.isRead ? states.at(state.name) : states.entry(state.name);
    invariant(entry.type == state.type, "a state's type differs from the program's");
    stateMemory_.add(state.isRead ? entry.memory.data() : nullptr);
    versions.add(state.isAssigned ? 0 : entry.version);
  }
  if (versions == derivedFrom_) return;
  derivedFrom_.reset();  // stays stale if refreshing throws
  refreshDerived(states, versions);
  derivedFrom_ = std::move(versions);
}

/// States that the run does not read, where what derives from them does: as the store has them, or read from their
/// source into `staging`, which grows to what the largest step takes and is the next one's.
class Program::StatesInMemory {
 public:
  StatesInMemory(Program& program, const StateStore& states, DeviceBuffer& staging)
      : program_(program), states_(states), staging_(staging) {}
  StatesInMemory(const StatesInMemory&) = delete;
  StatesInMemory& operator=(const StatesInMemory&) = delete;
  ~StatesInMemory() {
    for (const StateIndex index : bound_) program_.stateMemory_[index] = nullptr;
  }

  /// Those that the locations are of. Once.
  void bring(std::span<const Location> locations) {
    int64_t bytes = 0;
    for (const Location& location : locations) {
      const auto* index = std::get_if<StateIndex>(&location.memory);
      if (index == nullptr || program_.stateMemory_[*index] != nullptr) continue;
      if (std::ranges::find(bound_, *index) != bound_.end()) continue;
      bound_.push_back(*index);
      bytes += stagedBytes(entry(*index));
    }
    if (bytes > staging_.bytes()) {
      staging_.reset();
      staging_ = DeviceBuffer(program_.backend_, bytes);
    }
    std::byte* free = staging_.data();
    for (const StateIndex index : bound_) {
      const StateStore::Entry& state = entry(index);
      program_.stateMemory_[index] = state.memory.data();
      if (state.memory.data() != nullptr) continue;
      states_.readInto(program_.states_[index].name, free);
      program_.stateMemory_[index] = free;
      free += stagedBytes(state);
    }
  }

 private:
  const StateStore::Entry& entry(StateIndex index) const { return states_.entry(program_.states_[index].name); }
  static int64_t stagedBytes(const StateStore::Entry& state) {
    return state.memory.data() == nullptr ? alignedUp(state.type.bytes()) : 0;
  }

  Program& program_;
  const StateStore& states_;
  DeviceBuffer& staging_;
  std::vector<StateIndex> bound_;
};

std::vector<bool> Program::neededSteps(const Table<DerivedIndex, bool>& isStale) const {
  const auto stale = [&](const Location& location) {
    const auto* index = std::get_if<DerivedIndex>(&location.memory);
    return index && isStale[*index];
  };
  std::vector<bool> needed(derivedSteps_.size());
  for (size_t i = derivedSteps_.size(); i-- > 0;) {
    const auto& [step, packings, producers] = derivedSteps_[i];
    const bool makesStale =
        std::ranges::any_of(step.outputs, stale) || std::ranges::any_of(packings, [&](const DerivedPacking& p) {
          return stale(steps_[p.step].packings[p.packing].packed);
        });
    needed[i] = needed[i] || makesStale;
    if (!needed[i]) continue;
    for (const size_t producer : producers) needed[producer] = true;
  }
  return needed;
}

void Program::refreshDerived(const StateStore& states, const Table<StateIndex, uint64_t>& versions) {
  const auto sourceVersions = [&](const Derived& derived) {
    std::vector<uint64_t> found;
    for (const StateIndex state : derived.sources) found.push_back(versions[state]);
    return found;
  };
  Table<DerivedIndex, bool> isStale;  // another program may have made some, or all
  for (const Derived& derived : derived_) {
    const bool stale = !derived.entry->isKept && derived.entry->madeFrom != sourceVersions(derived);
    isStale.add(stale);
    if (stale) derived.entry->madeFrom.reset();
  }
  if (std::ranges::none_of(isStale, std::identity())) return;
  DeviceBuffer staging;
  const auto packStale = [&](const std::vector<DerivedPacking>& packings) {
    for (const auto& [step, index] : packings) {
      const Packing& packing = steps_[step].packings[index];
      if (!isStale[std::get<DerivedIndex>(packing.packed.memory)]) continue;
      StatesInMemory sources(*this, states, staging);
      sources.bring({&steps_[step].inputs[static_cast<size_t>(packing.input)], 1});
      pack(steps_[step], packing);
    }
  };
  packStale(statePackings_);
  const std::vector<bool> needed = neededSteps(isStale);
  for (size_t i = 0; i < derivedSteps_.size(); ++i) {
    if (!needed[i]) continue;
    {
      Step& step = derivedSteps_[i].step;
      StatesInMemory sources(*this, states, staging);
      sources.bring(step.inputs);
      for (const Packing& packing : step.packings) pack(step, packing);
      execute(step);
    }
    packStale(derivedSteps_[i].packings);
  }
  for (const Derived& derived : derived_) derived.entry->madeFrom = sourceVersions(derived);
}

void Program::runStep(Step& step) {
  for (const Packing& packing : step.packings)
    if (std::holds_alternative<Arena>(packing.packed.memory) && !packing.isMadeBefore) pack(step, packing);
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

std::vector<const std::byte*> Program::usedMemory() const {
  std::vector<const std::byte*> memory{arena_};
  memory.insert(memory.end(), stateMemory_.begin(), stateMemory_.end());
  return memory;
}

bool Program::replaySteps(const std::vector<const std::byte*>& memory, const std::atomic<bool>* cancelled) {
  if (memory != recorded_.memory) return false;
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

void Program::observeStep(size_t i) const {
  const StepInfo& info = infos_[i];
  const auto& [type, stride, alignment] = computations_[i].inputs[0];
  const int64_t channels = type.shape.channels(), rows = type.shape.rows();
  Tensor rowsAsTheyLie(type.dtype, {rows, stride});
  const int64_t bytes = ((rows - 1) * stride + channels) * sizeOf(type.dtype);
  backend_->download(rowsAsTheyLie.data(), address(steps_[i].inputs[0]), bytes);
  const Tensor numbers = rowsAsTheyLie.to(DType::kF32);
  Tensor dense(DType::kF32, type.shape);
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(numbers.as<float>().begin() + row * stride, channels, dense.as<float>().begin() + row * channels);
  observer_(info, dense);
}

void Program::observeSteps(const std::atomic<bool>* cancelled) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    throwIfCancelled(cancelled);
    if (infos_[i].op == Conv2d::kName) observeStep(i);
    runStep(steps_[i]);
  }
  copyResults();
}

void Program::run(StateStore& states, std::byte* arena, const Bindings& bindings, const std::atomic<bool>* cancelled) {
  arena_ = arena;
  // A step of training never comes alone. Of other programs many run once, and nobody knows until they come again.
  const bool changesStates = std::ranges::any_of(states_, &State::isAssigned);
  if (changesStates && runs_ == 0) settleMemory();
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
  } else if (observer_) {
    observeSteps(cancelled);
  } else if (auto memory = usedMemory(); !replaySteps(memory, cancelled)) {
    runSteps(cancelled);
    // Recorded when it comes again: programs that run once gain nothing, and libraries load their kernels when these
    // first run, which must not happen while recording.
    if (memory != recorded_.memory) recorded_ = {std::move(memory), nullptr, false};
  }
  for (const State& state : states_)
    if (state.isAssigned) ++states.at(state.name).version;
  for (const auto& [name, memory] : bindings.outputs()) {
    const auto found = outputs_.find(name);
    require(found != outputs_.end(), errors::kInternal, [&] { return "output '" + name + "' does not exist"; });
    backend_->download(memory.bytes.data(), address(found->second.location), bytesOf(name, found->second, memory));
  }
  if (++runs_ == 2 && !changesStates) settleMemory();
  keepDerived();  // not before: it takes time from whoever waits for the first result
}

}  // namespace jcs::compiler
