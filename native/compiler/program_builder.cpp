#include "compiler/program_builder.h"

#include <numeric>

#include "compiler/update_groups.h"
#include "core/alignment.h"
#include "ops/layout.h"

namespace jcs::compiler {

ProgramBuilder::ProgramBuilder(Program& program, const Graph& graph, Backend& backend, const KernelOptions& options)
    : program_(program),
      graph_(graph),
      backend_(backend),
      options_(options),
      derived_(findDerived(graph)),
      storage_(planStorage(graph, derived_, backend)),
      timeline_(graph, derived_, planGroups(graph, derived_, storage_, backend)),
      lifetimes_(planLifetimes(graph, derived_, timeline_, storage_)),
      derivations_(graph),
      derivedStepOf_(graph.values().size()),
      isReadAsIs_(graph.values().size()),
      memory_(graph.values().size()) {}

void ProgramBuilder::build() {
  addStates();
  for (const auto& [name, id] : graph_.outputs()) isReadAsIs_[rootOf(id)] = true;
  for (const auto& [state, value] : graph_.assignments()) isReadAsIs_[rootOf(value)] = true;
  for (const NodeId n : graph_.nodes().ids())
    if (!storage_.isView[n]) addNode(n);
  layOutConstants();
  layOutDerived();
  placeSteps(layOutArena());
  placeResults();
  markReadStates();
  program_.copiedBytes_ = storage_.copiedBytes;
}

void ProgramBuilder::addStates() {
  PerValue<bool> isAssigned(graph_.values().size());
  for (const auto& [state, value] : graph_.assignments()) isAssigned[state] = true;
  for (const ValueId id : graph_.values().ids())
    if (info(id).kind == ValueInfo::Kind::kState)
      memory_[id] = Location{program_.states_.add({info(id).name, info(id).type, isAssigned[id], false}), 0};
}

void ProgramBuilder::add(Operands& operands, ValueId id, const TensorType& type, int64_t channel) const {
  const Placement& placement = storage_.placements[id];
  const int64_t offset = (placement.offset + channel) * sizeOf(type.dtype);
  operands.ids.push_back(id);
  operands.operands.push_back({type, placement.rowStride, std::gcd(kMemoryAlignment, offset)});
  operands.locations.push_back({placement.root, offset});
}

ProgramBuilder::Operands ProgramBuilder::operandsOf(std::span<const ValueId> ids) const {
  Operands operands;
  for (const ValueId id : ids) add(operands, id, info(id).type, 0);
  return operands;
}

void ProgramBuilder::addNode(NodeId n) {
  const Node& node = graph_.nodes()[n];
  if (timeline_.groupOf(n) != n) return;
  if (const auto members = timeline_.groupMembers(n); members.size() > 1) return addGroup(members);
  if (is<Concat>(*node.op) && !isDerived(node)) return addConcat(n);
  addStep(n, node.op, operandsOf(node.inputs), operandsOf(node.outputs));
}

void ProgramBuilder::addGroup(std::span<const NodeId> members) {
  std::vector<ValueId> inputs, outputs;
  for (const NodeId n : members) {
    const Node& node = graph_.nodes()[n];
    inputs.insert(inputs.end(), node.inputs.begin(), node.inputs.end());
    outputs.insert(outputs.end(), node.outputs.begin(), node.outputs.end());
  }
  addStep(members[0], graph_.nodes()[members[0]].op, operandsOf(inputs), operandsOf(outputs));
}

void ProgramBuilder::addConcat(NodeId n) {
  const Node& node = graph_.nodes()[n];
  int64_t channel = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId source = node.inputs[i];
    const TensorType& type = info(source).type;
    if (!storage_.isInPlace[n][i]) {
      const auto copy = std::make_shared<Slice>();
      copy->extent = copy->begin = type.shape;
      for (int axis = 0; axis < copy->begin.rank(); ++axis) copy->begin[axis] = 0;
      Operands part;
      add(part, node.outputs[0], type, channel);
      addStep(n, copy, operandsOf({&source, 1}), part);
    }
    channel += type.shape.channels();
  }
}

void ProgramBuilder::addStep(NodeId n, const std::shared_ptr<const Op>& op, const Operands& inputs,
                             const Operands& outputs) {
  const Node& node = graph_.nodes()[n];
  UnplacedStep step{backend_.prepare(*op, inputs.operands, outputs.operands, options_),
                    inputs.locations,
                    outputs.locations,
                    {},
                    0,
                    timeline_[n]};
  step.scratchBytes = alignedUp(step.kernel->scratchBytes());
  for (size_t i = 0; i < inputs.ids.size(); ++i) {
    const int64_t bytes = step.kernel->packedBytes(static_cast<int>(i));
    if (bytes > 0) {
      step.packings.push_back(addPacking(step, static_cast<int>(i), inputs.ids[i], bytes, isDerived(node)));
    } else if (!isDerived(node)) {
      isReadAsIs_[rootOf(inputs.ids[i])] = true;
    }
  }
  if (isDerived(node)) {
    std::vector<size_t> producers;
    for (const ValueId id : inputs.ids)
      if (const std::optional<size_t> producer = derivedStepOf_[rootOf(id)]) producers.push_back(*producer);
    for (const ValueId id : outputs.ids) derivedStepOf_[rootOf(id)] = derivedSteps_.size();
    derivedSteps_.push_back({std::move(step), {}, std::move(producers)});
  } else {
    const size_t others = timeline_.groupMembers(n).size() - 1;
    const std::string scope = node.scope + (others > 0 ? " and " + std::to_string(others) + " more" : "");
    describe(op, scope, inputs, outputs, *step.kernel);
    steps_.push_back(std::move(step));
  }
}

ProgramBuilder::UnplacedPacking ProgramBuilder::addPacking(UnplacedStep& step, int input, ValueId id, int64_t bytes,
                                                           bool isDerivedStep) {
  if (const std::string form = step.kernel->packedForm(input); !derived_[id] && !form.empty()) {
    const Placement& placement = storage_.placements[id];
    const auto [found, isNew] =
        sharedIndices_.emplace(std::tuple(placement.root, placement.offset, form), SharedIndex{});
    if (isNew) found->second = sharedPackings_.add({bytes, {step.time, step.time}});
    sharedPackings_[found->second].lifetime.last = step.time;
    return {input, found->second, !isNew};
  }
  if (!derived_[id] || isDerivedStep) {
    const InScratch packed{step.scratchBytes};
    step.scratchBytes += alignedUp(bytes);
    return {input, packed};
  }
  const std::optional<size_t> producer = derivedStepOf_[rootOf(id)];
  auto& packings = producer ? derivedSteps_[*producer].packings : program_.statePackings_;
  packings.push_back({steps_.size(), step.packings.size()});
  return {input, reserveDerived(id, step.kernel->packedForm(input), bytes)};
}

void ProgramBuilder::describe(const std::shared_ptr<const Op>& op, const std::string& scope, const Operands& inputs,
                              const Operands& outputs, const Kernel& kernel) {
  Program::StepInfo step{std::string(op->name()), op->attributes(), scope, kernel.implementation(), {}, {}};
  const auto addTypes = [&](const Operands& from, std::vector<TensorType>& to) {
    for (const Operand& operand : from.operands) {
      to.push_back(operand.type);
      step.bytes += static_cast<double>(operand.type.bytes());
    }
  };
  addTypes(inputs, step.inputs);
  addTypes(outputs, step.outputs);
  step.flops = op->flops(step.inputs, step.outputs);
  step.arithmetic = kernel.arithmetic();
  program_.infos_.push_back(std::move(step));
  program_.computations_.push_back({op, inputs.operands, outputs.operands});
}

/// `form` says what is made of the value; empty when no other program could read it.
ProgramBuilder::DerivedIndex ProgramBuilder::reserveDerived(ValueId id, const std::string& form, int64_t bytes) {
  const Derivation& from = derivations_.of(id);
  const bool isShared = !from.text.empty() && !form.empty();
  Program::Derived derived{{}, alignedUp(bytes), {}, nullptr};
  if (isShared) derived.key = DerivedKey{from.text, form};
  for (const ValueId state : from.states) derived.sources.push_back(std::get<StateIndex>(memory_[state]->memory));
  return program_.derived_.add(std::move(derived));
}

void ProgramBuilder::layOutConstants() {
  for (const ValueId id : graph_.values().ids()) {
    if (!isRoot(id) || regionOf(id) != Region::kConstants) continue;
    memory_[id] = Location{Program::Constants{}, program_.constantBytes_};
    constants_.push_back({program_.constantBytes_, info(id).constant});
    program_.constantBytes_ += alignedUp(info(id).type.bytes());
  }
}

void ProgramBuilder::layOutDerived() {
  for (const ValueId id : graph_.values().ids())
    if (isRoot(id) && regionOf(id) == Region::kDerived && isReadAsIs_[id])
      memory_[id] = Location{reserveDerived(id, "as computed", info(id).type.bytes()), 0};
  program_.persistentBytes_ = program_.constantBytes_;
  for (const Program::Derived& derived : program_.derived_) program_.persistentBytes_ += derived.bytes;
}

/// Gives the offsets of the scratch of the derived steps, then of the steps.
std::vector<int64_t> ProgramBuilder::layOutArena() {
  std::vector<ArenaBuffer> buffers;
  for (const UnplacedDerivedStep& derived : derivedSteps_)
    buffers.push_back({derived.step.scratchBytes, {derived.step.time, derived.step.time}});
  for (const UnplacedStep& step : steps_) buffers.push_back({step.scratchBytes, {step.time, step.time}});
  const size_t scratches = buffers.size();
  for (const SharedPacking& packing : sharedPackings_) buffers.push_back({packing.bytes, packing.lifetime});
  std::vector<ValueId> values;
  for (const ValueId id : graph_.values().ids()) {
    if (!isRoot(id) || memory_[id] || lifetimes_[id].isEmpty()) continue;
    values.push_back(id);
    buffers.push_back({info(id).type.bytes(), lifetimes_[id]});
  }
  ArenaPlan plan = planArena(buffers);
  program_.arenaBytes_ = plan.bytes;
  auto offset = plan.offsets.begin() + static_cast<std::ptrdiff_t>(scratches);
  for (size_t i = 0; i < sharedPackings_.size(); ++i) sharedOffsets_.add(*offset++);
  for (const ValueId id : values) memory_[id] = Location{Program::Arena{}, *offset++};
  plan.offsets.resize(scratches);
  return plan.offsets;
}

ProgramBuilder::Location ProgramBuilder::place(const UnplacedLocation& location) const {
  const std::optional<Location>& root = memory_[location.root];
  invariant(root.has_value(), "a step reads or writes what has no memory");
  return {root->memory, root->offset + location.offset};
}

Program::Packing ProgramBuilder::place(const UnplacedPacking& packing, int64_t scratchOffset) const {
  Location location;
  if (const auto* scratch = std::get_if<InScratch>(&packing.packed)) {
    location = {Program::Arena{}, scratchOffset + scratch->offset};
  } else if (const auto* shared = std::get_if<SharedIndex>(&packing.packed)) {
    location = {Program::Arena{}, sharedOffsets_[*shared]};
  } else {
    location = {std::get<DerivedIndex>(packing.packed), 0};
  }
  return {packing.input, location, packing.isMadeBefore};
}

Program::Step ProgramBuilder::place(UnplacedStep step, int64_t scratchOffset) const {
  Program::Step placed{std::move(step.kernel), {}, {}, {}, scratchOffset, false};
  for (const UnplacedLocation& input : step.inputs) placed.inputs.push_back(place(input));
  for (const UnplacedLocation& output : step.outputs) {
    placed.outputs.push_back(place(output));
    placed.changesState |= std::holds_alternative<StateIndex>(placed.outputs.back().memory);
  }
  for (const UnplacedPacking& packing : step.packings) placed.packings.push_back(place(packing, scratchOffset));
  return placed;
}

void ProgramBuilder::placeSteps(std::span<const int64_t> scratchOffsets) {
  auto scratch = scratchOffsets.begin();
  for (auto& [step, packings, producers] : derivedSteps_)
    program_.derivedSteps_.push_back({place(std::move(step), *scratch++), std::move(packings), std::move(producers)});
  for (UnplacedStep& step : steps_) program_.steps_.push_back(place(std::move(step), *scratch++));
}

void ProgramBuilder::placeResults() {
  const auto locate = [&](ValueId id) {
    const Placement& placement = storage_.placements[id];
    return place({placement.root, placement.offset * sizeOf(info(id).type.dtype)});
  };
  for (const auto& [state, value] : graph_.assignments())
    if (rootOf(value) != state)  // else it was written there
      program_.finalCopies_.push_back({locate(state), locate(value), info(state).type.bytes()});
  for (const auto& [name, id] : graph_.outputs()) program_.outputs_[name] = {info(id).type, locate(id)};
  for (const ValueId id : graph_.values().ids())
    if (info(id).kind == ValueInfo::Kind::kInput) program_.inputs_[info(id).name] = {info(id).type, locate(id)};
}

void ProgramBuilder::markReadStates() {
  const auto mark = [&](const Location& location) {
    if (const auto* state = std::get_if<StateIndex>(&location.memory)) program_.states_[*state].isRead = true;
  };
  for (const Program::Step& step : program_.steps_) {
    const auto isKept = [&](size_t input) {
      return std::ranges::any_of(step.packings, [&](const Program::Packing& packing) {
        return packing.input == static_cast<int>(input) && std::holds_alternative<DerivedIndex>(packing.packed.memory);
      });
    };
    for (size_t i = 0; i < step.inputs.size(); ++i)
      if (!isKept(i)) mark(step.inputs[i]);
    for (const Location& output : step.outputs) mark(output);
  }
  for (const Program::Copy& copy : program_.finalCopies_) mark(copy.to), mark(copy.from);
  for (const auto& [name, output] : program_.outputs_) mark(output.location);
}

}  // namespace jcs::compiler
