#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "backend/backend.h"
#include "compiler/alternatives.h"
#include "compiler/bindings.h"
#include "compiler/derived_store.h"
#include "compiler/quantization.h"
#include "compiler/state_store.h"
#include "compiler/storage.h"
#include "graph/graph.h"

namespace jcs::compiler {

struct CompileOptions {
  DType activation = DType::kF32;  ///< kBF16: mixed precision
  KernelOptions kernels;
  std::shared_ptr<const LayerRanges> quantized = nullptr;  ///< convolutions that become ones of bytes; null: none
  int64_t heldArenaBytes = 0;  ///< what the caller holds already, and will run the program in or give up for it
};

/// A compiled graph: prepared kernels in order, and where everything lies. Immutable but for what it caches of the
/// state that it reads. Memory: `arenaBytes` of the caller's at run time; `persistentBytes` of constants and of what is
/// derived from state, which programs compiled with the same `shared` own together where it is the same.
class Program {
 public:
  /// Optimises and compiles. Throws OUT_OF_MEMORY before anything is allocated when the device cannot hold it.
  Program(const Graph& graph, std::shared_ptr<Backend> backend, const CompileOptions& options,
          DerivedStore* shared = nullptr);

  /// Runs once. `cancelled` is read between kernels up to the first that changes state, and before what a device has
  /// recorded is started: a step is taken wholly or not at all, and then CANCELLED is thrown.
  void run(StateStore& states, std::byte* arena, const Bindings& bindings,
           const std::atomic<bool>* cancelled = nullptr);

  int64_t arenaBytes() const { return arenaBytes_; }
  int64_t persistentBytes() const { return persistentBytes_; }
  const TensorType& inputType(const std::string& name) const;
  const TensorType& outputType(const std::string& name) const;
  /// Bytes per run that are moved without being computed on.
  int64_t copiedBytes() const { return copiedBytes_; }

  struct StepInfo {
    std::string op, attributes, scope, implementation;
    std::vector<TensorType> inputs, outputs;
    double flops = 0;
    Arithmetic arithmetic = {};  ///< of its kernel
    double bytes = 0;            ///< operands read and written once
    double seconds = 0;          ///< of the last profiled run
  };
  /// The steps of a run, in order; those done once after a change of state are not among them.
  const std::vector<StepInfo>& steps() const { return infos_; }
  /// What each of them computes.
  const std::vector<Computation>& computations() const { return computations_; }
  void profile(bool on) { profiling_ = on; }
  using Observer = std::function<void(const StepInfo& step, const Tensor& input)>;
  /// From now on `observer`, if any, sees what each convolution of numbers reads, as float32, before it runs.
  void observeConvolutions(Observer observer) { observer_ = std::move(observer); }
  /// Kernels and copies of a run as the device recorded it; 0 before it did.
  size_t recordedOperations() const { return recorded_.recording ? recorded_.recording->operations() : 0; }

 private:
  friend class ProgramBuilder;

  enum class StateIndex : int {};
  enum class DerivedIndex : int {};
  struct Arena {};
  struct Constants {};
  struct Location {
    std::variant<Arena, Constants, DerivedIndex, StateIndex> memory;
    int64_t offset = 0;  ///< bytes
  };
  struct Packing {
    int input;
    Location packed;
    bool isMadeBefore = false;  ///< by an earlier step of the run, for itself
  };
  struct Step {
    std::unique_ptr<Kernel> kernel;
    std::vector<Location> inputs, outputs;
    std::vector<Packing> packings;
    int64_t scratchOffset = 0;
    bool changesState = false;
  };
  /// A packing of a step of the run that is derived: it is made when its states have changed, and kept.
  struct DerivedPacking {
    size_t step, packing;
  };
  /// A step that computes derived values. Once `packings`, which read them, are made their memory may be used again.
  struct DerivedStep {
    Step step;
    std::vector<DerivedPacking> packings;
    std::vector<size_t> producers;  ///< the derived steps that compute what it reads
  };
  /// The memory of a derived value, or of its packed form.
  struct Derived {
    std::optional<DerivedKey> key;  ///< none: shared with no other program
    int64_t bytes;
    std::vector<StateIndex> sources;
    std::shared_ptr<DerivedStore::Entry> entry;
  };
  struct State {
    std::string name;
    TensorType type;
    bool isAssigned;
    bool isRead = false;  ///< or written by the run itself, not just by what derives from it
  };
  struct Copy {
    Location to, from;
    int64_t bytes;
  };
  struct Named {
    TensorType type;
    Location location;
  };

  std::byte* base(Arena) const { return arena_; }
  std::byte* base(Constants) const { return constants_.data(); }
  std::byte* base(DerivedIndex index) const { return derived_[index].entry->data; }
  std::byte* base(StateIndex index) const { return stateMemory_[index]; }
  std::byte* address(const Location& location) const;
  void pack(Step& step, const Packing& packing);
  void execute(Step& step);
  void runStep(Step& step);
  void runSteps(const std::atomic<bool>* cancelled);
  /// False when there is no recording: the steps have to be run.
  bool replaySteps(const std::vector<const std::byte*>& memory, const std::atomic<bool>* cancelled);
  /// Of the current run, beside what is the program's own.
  std::vector<const std::byte*> usedMemory() const;
  void profileSteps();
  void observeStep(size_t step) const;
  void observeSteps(const std::atomic<bool>* cancelled);
  void copyResults();
  /// OUT_OF_MEMORY unless the device has as much free, beside `heldBytes` of an arena.
  void requireRoom(int64_t arenaBytes, int64_t otherBytes, int64_t heldBytes) const;
  void allocate(DerivedStore* shared, int64_t heldArenaBytes);
  /// Memory for values that nobody has, one after the other.
  std::shared_ptr<const DerivedMemory> allocateDerived(std::span<Derived* const> values) const;
  static void place(std::span<Derived* const> values, const std::shared_ptr<const DerivedMemory>& memory, bool isKept);
  /// Once everything derived is computed.
  void keepDerived() noexcept;
  /// All of its memory, and the arena.
  void settleMemory() noexcept;
  void bindStates(StateStore& states);
  void refreshDerived(const StateStore& states, const Table<StateIndex, uint64_t>& versions);
  /// Which derived steps make something that is stale, or what such a step reads.
  std::vector<bool> neededSteps(const Table<DerivedIndex, bool>& isStale) const;
  class StatesInMemory;

  std::shared_ptr<Backend> backend_;
  std::vector<DerivedPacking> statePackings_;  ///< of states and constants as they are
  std::vector<DerivedStep> derivedSteps_;
  std::vector<Step> steps_;
  std::vector<StepInfo> infos_;
  std::vector<Computation> computations_;
  std::vector<Copy> finalCopies_;
  std::map<std::string, Named> inputs_, outputs_;
  Table<StateIndex, State> states_;
  int64_t arenaBytes_ = 0, constantBytes_ = 0, persistentBytes_ = 0, copiedBytes_ = 0;
  DeviceBuffer constants_;
  Table<DerivedIndex, Derived> derived_;
  /// What an archive has yet to be given.
  struct Unkept {
    std::shared_ptr<DerivedArchive> archive;
    std::vector<DerivedArchive::Value> values;
    std::shared_ptr<const DerivedMemory> memory;
  };
  std::optional<Unkept> unkept_;
  bool profiling_ = false;
  Observer observer_;
  int64_t runs_ = 0;

  // Of the current run.
  std::byte* arena_ = nullptr;
  /// What a device that records has recorded of the steps, and for which memory: it is of no use for any other.
  struct Recorded {
    std::vector<const std::byte*> memory;
    std::unique_ptr<Recording> recording;  ///< empty while the memory was seen once, or where nothing is recorded
    bool tried = false;
  } recorded_;
  Table<StateIndex, std::byte*> stateMemory_;  ///< null where the run does not read them
  /// Versions of the states for which derived values are up to date; nothing before they are first computed.
  std::optional<Table<StateIndex, uint64_t>> derivedFrom_;
  std::vector<const std::byte*> argumentsIn_;
  std::vector<std::byte*> argumentsOut_;
};

}  // namespace jcs::compiler
