#pragma once

#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/derivation.h"
#include "compiler/lifetimes.h"
#include "compiler/program.h"
#include "compiler/storage.h"

namespace jcs::compiler {

/// Turns an optimised graph into the steps and memory of a Program: prepares every kernel, which says what memory it
/// wants besides its operands, then lays all memory out, then places the steps in it.
class ProgramBuilder {
 public:
  ProgramBuilder(Program& program, const Graph& graph, Backend& backend, const KernelOptions& options);

  void build();

  /// What has to be uploaded, and where to, once the program owns its memory.
  struct Constant {
    int64_t offset;
    std::shared_ptr<const Tensor> tensor;
  };
  const std::vector<Constant>& constants() const { return constants_; }

 private:
  using Location = Program::Location;
  using DerivedIndex = Program::DerivedIndex;
  using StateIndex = Program::StateIndex;

  /// Before memory is laid out: where in the memory of a root.
  struct UnplacedLocation {
    ValueId root;
    int64_t offset;  ///< bytes
  };
  struct InScratch {
    int64_t offset;  ///< bytes into the step's own scratch
  };
  /// A packed form that several steps of the run read: a step forward, and its gradient.
  enum class SharedIndex : int {};
  struct SharedPacking {
    int64_t bytes;
    Lifetime lifetime;
  };
  struct UnplacedPacking {
    int input;
    std::variant<InScratch, SharedIndex, DerivedIndex> packed;
    bool isMadeBefore = false;
  };
  struct UnplacedStep {
    std::unique_ptr<Kernel> kernel;
    std::vector<UnplacedLocation> inputs, outputs;
    std::vector<UnplacedPacking> packings;
    int64_t scratchBytes;
    int time;
  };
  struct UnplacedDerivedStep {
    UnplacedStep step;
    std::vector<Program::DerivedPacking> packings;
    std::vector<size_t> producers;
  };
  /// What a kernel is prepared for.
  struct Operands {
    std::vector<ValueId> ids;
    std::vector<Operand> operands;
    std::vector<UnplacedLocation> locations;
  };

  const ValueInfo& info(ValueId id) const { return graph_.values()[id]; }
  ValueId rootOf(ValueId id) const { return storage_.placements[id].root; }
  bool isRoot(ValueId id) const { return rootOf(id) == id; }
  bool isDerived(const Node& node) const { return derived_[node.outputs[0]]; }
  Region regionOf(ValueId root) const { return compiler::regionOf(graph_, derived_, root); }

  void addStates();
  void addNode(NodeId n);
  /// One step for all nodes of a group.
  void addGroup(std::span<const NodeId> members);
  /// The parts of a concat that are not in place are copied there.
  void addConcat(NodeId n);
  void addStep(NodeId n, const std::shared_ptr<const Op>& op, const Operands& inputs, const Operands& outputs);
  /// Into the step's scratch, or memory that later steps read as well, or, of a derived value for a step of the run,
  /// into memory that is kept.
  UnplacedPacking addPacking(UnplacedStep& step, int input, ValueId id, int64_t bytes, bool isDerivedStep);
  void describe(const std::shared_ptr<const Op>& op, const std::string& scope, const Operands& inputs,
                const Operands& outputs, const Kernel& kernel);
  Operands operandsOf(std::span<const ValueId> ids) const;
  void add(Operands& operands, ValueId id, const TensorType& type, int64_t channel) const;

  DerivedIndex reserveDerived(ValueId id, const std::string& form, int64_t bytes);
  void layOutConstants();
  void layOutDerived();
  std::vector<int64_t> layOutArena();

  Location place(const UnplacedLocation& location) const;
  Program::Packing place(const UnplacedPacking& packing, int64_t scratchOffset) const;
  Program::Step place(UnplacedStep step, int64_t scratchOffset) const;
  void placeSteps(std::span<const int64_t> scratchOffsets);
  void placeResults();
  void markReadStates();

  Program& program_;
  const Graph& graph_;
  Backend& backend_;
  const KernelOptions& options_;
  const PerValue<bool> derived_;
  StoragePlan storage_;  ///< roots are as `planLifetimes` leaves them
  const Timeline timeline_;
  const PerValue<Lifetime> lifetimes_;
  Derivations derivations_;

  Table<SharedIndex, SharedPacking> sharedPackings_;
  std::map<std::tuple<ValueId, int64_t, std::string>, SharedIndex> sharedIndices_;  ///< by root, offset and form
  Table<SharedIndex, int64_t> sharedOffsets_;                                       ///< in the arena, once laid out
  std::vector<UnplacedDerivedStep> derivedSteps_;
  std::vector<UnplacedStep> steps_;
  PerValue<std::optional<size_t>> derivedStepOf_;  ///< by root: the derived step that computes it
  PerValue<bool> isReadAsIs_;  ///< by root: by a step of the run, unpacked, or as a result; hence kept when derived
  PerValue<std::optional<Location>> memory_;  ///< by root: where it begins, once laid out
  std::vector<Constant> constants_;
};

}  // namespace jcs::compiler
