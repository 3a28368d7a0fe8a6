#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "compiler/passes.h"
#include "compiler/program.h"
#include "compiler/rewrite.h"
#include "ops/layout.h"

namespace jcs {

namespace {

constexpr int64_t kAlignment = Operand::kAlignment;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

/// Turns an optimised graph into the steps and memory of a Program. Time runs in node indices: values that the arena
/// holds live from their producer to their last reader.
class ProgramBuilder {
 public:
  ProgramBuilder(Program& program, const Graph& graph, Backend& backend, const CompileOptions& options)
      : program_(program),
        graph_(graph),
        backend_(backend),
        options_(options),
        storage_(planStorage(graph, backend)),
        derived_(findDerived(graph)),
        end_(static_cast<int>(graph.nodes().size())) {}

  void build() {
    collectStates();
    findLifetimes();
    reuseInPlace();
    derivations_.resize(graph_.values().size());
    for (size_t n = 0; n < graph_.nodes().size(); ++n) addNode(static_cast<int>(n));
    finishAssignments();
    layOutPersistent();
    placeArena();
    program_.copiedBytes_ = storage_.copiedBytes;
  }

  /// Constants have to be uploaded once the program owns its memory.
  const std::vector<std::pair<int64_t, std::shared_ptr<const Tensor>>>& constants() const { return constants_; }

 private:
  using Location = Program::Location;
  using Where = Location::Where;

  static size_t at(int id) { return static_cast<size_t>(id); }
  const ValueInfo& info(int id) const { return graph_.values()[at(id)]; }
  /// The value whose memory `id` lies in, in-place reuse included.
  int rootOf(int id) const {
    int root = storage_.placements[at(id)].root;
    while (reused_[at(root)] >= 0) root = reused_[at(root)];
    return root;
  }
  /// Neither changes between runs; what is derived was computed from the state.
  bool isDerived(int root) const { return info(root).kind == ValueInfo::Kind::kComputed && derived_[at(root)]; }
  bool isFixed(int root) const { return info(root).kind == ValueInfo::Kind::kConstant || isDerived(root); }
  /// Of what is derived, only what steps read as it is has to stay: the others have been packed, or derived further,
  /// when the inputs arrive. Known once all steps are made.
  bool isPersistent(int root) const {
    return info(root).kind == ValueInfo::Kind::kConstant || (isDerived(root) && readAsIs_[at(root)]);
  }
  bool isArena(int root) const { return info(root).kind != ValueInfo::Kind::kState && !isFixed(root); }
  bool isDerivedNode(const Node& node) const { return derived_[at(node.outputs[0])] != 0; }
  bool isStep(int n) const { return !storage_.isView[at(n)]; }

  void collectStates() {
    std::set<int> assigned;
    for (const auto& [state, value] : graph_.assignments()) assigned.insert(state);
    stateIndex_.assign(graph_.values().size(), -1);
    for (size_t id = 0; id < graph_.values().size(); ++id) {
      const ValueInfo& value = graph_.values()[id];
      if (value.kind != ValueInfo::Kind::kState) continue;
      stateIndex_[id] = static_cast<int>(program_.stateNames_.size());
      program_.stateNames_.push_back(value.name);
      program_.stateTypes_.push_back(value.type);
      program_.stateIsAssigned_.push_back(assigned.contains(static_cast<int>(id)));
    }
  }

  void findLifetimes() {
    const size_t count = graph_.values().size();
    reused_.assign(count, -1);
    first_.assign(count, end_);
    last_.assign(count, prologueTime(-1));
    readAsIs_.assign(count, 0);
    producedBy_.assign(count, -1);
    const auto touch = [&](int id, int time) {
      const int root = storage_.placements[at(id)].root;
      first_[at(root)] = std::min(first_[at(root)], time);
      last_[at(root)] = std::max(last_[at(root)], time);
    };
    for (size_t id = 0; id < count; ++id)
      if (graph_.values()[id].kind == ValueInfo::Kind::kInput) touch(static_cast<int>(id), -1);
    for (int n = 0; n < end_; ++n) {
      const Node& node = graph_.nodes()[at(n)];
      const bool derived = isDerivedNode(node);
      for (int id : node.inputs)
        if (derived || !isDerived(storage_.placements[at(id)].root)) touch(id, derived ? prologueTime(n) : n);
      for (int id : node.outputs) touch(id, derived ? prologueTime(n) : n);
    }
    for (const auto& [name, id] : graph_.outputs()) touch(id, end_), readAsIs_[at(rootOf(id))] = 1;
    for (const auto& [state, value] : graph_.assignments()) touch(value, end_), readAsIs_[at(rootOf(value))] = 1;
  }
  /// What is derived is computed before the inputs arrive, at −1.
  int prologueTime(int n) const { return n - end_ - 1; }

  /// An elementwise op may overwrite an operand that nothing reads afterwards; an update, the state it is assigned to.
  void reuseInPlace() {
    for (int n = 0; n < end_; ++n) {
      const Node& node = graph_.nodes()[at(n)];
      if (isDerivedNode(node) || !isStep(n)) continue;
      for (size_t k = 0; k < node.outputs.size(); ++k) {
        const int input = node.op->inPlaceInput(static_cast<int>(k));
        if (input < 0) continue;
        const int source = node.inputs[at(input)], result = node.outputs[k];
        const int root = rootOf(source);
        if (!ownsDenseMemory(result) || !coversRoot(source, root) ||
            info(root).type.bytes() != info(result).type.bytes())
          continue;
        const bool soleReader = std::ranges::count_if(node.inputs, [&](int id) { return rootOf(id) == root; }) == 1;
        if (!soleReader || last_[at(root)] > n) continue;
        const bool toState = info(root).kind == ValueInfo::Kind::kState && isAssigned(root, result);
        if (!toState && !(isArena(root) && first_[at(root)] < n)) continue;
        if (toState) lastDirectAssign_.insert({root, result});
        reused_[at(result)] = root;
        last_[at(root)] = std::max(last_[at(root)], last_[at(result)]);
      }
    }
  }
  bool ownsDenseMemory(int id) const {
    const Placement& p = storage_.placements[at(id)];
    return p.root == id && reused_[at(id)] < 0;
  }
  /// Whether `id` is all of the memory it lies in, densely.
  bool coversRoot(int id, int root) const {
    const Placement& p = storage_.placements[at(id)];
    return p.offset == 0 && p.rowStride == info(id).type.shape.channels() &&
           info(id).type.bytes() == info(root).type.bytes();
  }
  bool isAssigned(int state, int value) const {
    return std::ranges::find(graph_.assignments(), std::pair(state, value)) != graph_.assignments().end();
  }

  /// How a value is computed from state.
  struct Derivation {
    std::string text;  ///< equal for the same computation in another graph of the model; empty when it takes constants
    std::set<int> states;
  };
  const Derivation& derivationOf(int id) {
    std::optional<Derivation>& known = derivations_[at(id)];
    if (known) return *known;
    Derivation result;
    if (info(id).kind == ValueInfo::Kind::kState) {
      result = {info(id).name, {stateIndex_[at(id)]}};
    } else if (info(id).kind == ValueInfo::Kind::kComputed) {
      const Node& node = graph_.nodes()[at(info(id).producer)];
      const auto output = std::ranges::find(node.outputs, id) - node.outputs.begin();
      result.text = std::string(node.op->name()) + "{" + node.op->attributes() + "}." + std::to_string(output) + "(";
      bool constant = false;
      for (const int input : node.inputs) {
        const Derivation& from = derivationOf(input);
        constant |= from.text.empty();
        result.text += from.text + ",";
        result.states.insert(from.states.begin(), from.states.end());
      }
      result.text += ")";
      if (constant) result.text.clear();
    }
    known = std::move(result);
    return *known;
  }

  /// `form` says what is made of the value; empty when no other program could read it.
  int reserveDerived(int id, const std::string& form, int64_t bytes) {
    const Derivation& from = derivationOf(id);
    const bool shared = !from.text.empty() && !form.empty();
    program_.derived_.push_back({shared ? std::optional(DerivedKey{from.text, form}) : std::nullopt, aligned(bytes),
                                 std::vector(from.states.begin(), from.states.end()), nullptr});
    return static_cast<int>(program_.derived_.size()) - 1;
  }

  void layOutPersistent() {
    constantOffset_.assign(graph_.values().size(), -1);
    derivedIndex_.assign(graph_.values().size(), -1);
    for (size_t id = 0; id < graph_.values().size(); ++id) {
      const int value = static_cast<int>(id);
      if (storage_.placements[id].root != value || !isPersistent(value)) continue;
      const int64_t bytes = info(value).type.bytes();
      if (info(value).constant) {
        constantOffset_[id] = program_.constantBytes_;
        constants_.emplace_back(constantOffset_[id], info(value).constant);
        program_.constantBytes_ += aligned(bytes);
      } else {
        derivedIndex_[id] = reserveDerived(value, "as computed", bytes);
      }
    }
    program_.persistentBytes_ = program_.constantBytes_;
    for (const Program::Derived& derived : program_.derived_) program_.persistentBytes_ += derived.bytes;
  }

  Operand operand(int id) const {
    const Placement& p = storage_.placements[at(id)];
    return {info(id).type, p.rowStride, std::gcd(kAlignment, p.offset * sizeOf(info(id).type.dtype))};
  }

  /// Locations outside of states hold the root's id until memory has been laid out.
  Location locate(int id) const {
    const int64_t offset = storage_.placements[at(id)].offset * sizeOf(info(id).type.dtype);
    const int root = rootOf(id);
    if (info(root).kind == ValueInfo::Kind::kState) return {Where::kState, stateIndex_[at(root)], offset};
    return {Where::kArena, root, offset};
  }

  void addNode(int n) {
    const Node& node = graph_.nodes()[at(n)];
    if (!isStep(n)) return;
    if (is<Concat>(*node.op) && !isDerivedNode(node)) return addConcatCopies(n);
    std::vector<Operand> inputs, outputs;
    for (int id : node.inputs) inputs.push_back(operand(id));
    for (int id : node.outputs) outputs.push_back(operand(id));
    addStep(n, *node.op, node.inputs, inputs, node.outputs, outputs);
  }

  void addConcatCopies(int n) {
    const Node& node = graph_.nodes()[at(n)];
    const int result = node.outputs[0];
    int64_t channel = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int source = node.inputs[i];
      if (!storage_.inPlace[at(n)][i]) {
        Slice copy;
        copy.extent = copy.begin = info(source).type.shape;
        for (int axis = 0; axis < copy.begin.rank(); ++axis) copy.begin[axis] = 0;
        const Operand input = operand(source);
        const Placement& whole = storage_.placements[at(result)];
        const int64_t offset = (whole.offset + channel) * sizeOf(info(source).type.dtype);
        const Operand output{info(source).type, whole.rowStride, std::gcd(kAlignment, offset)};
        const int inputs[] = {source}, outputs[] = {result};
        addStep(n, copy, inputs, std::span(&input, 1), outputs, std::span(&output, 1),
                channel * sizeOf(info(source).type.dtype));
      }
      channel += info(source).type.shape.channels();
    }
  }

  void addStep(int n, const Op& op, std::span<const int> inputIds, std::span<const Operand> inputs,
               std::span<const int> outputIds, std::span<const Operand> outputs, int64_t outputByteOffset = 0) {
    const Node& node = graph_.nodes()[at(n)];
    const bool derived = isDerivedNode(node);
    Program::Step step;
    step.kernel = backend_.prepare(op, inputs, outputs, options_.kernels);
    for (int id : inputIds) step.inputs.push_back(locate(id));
    for (int id : outputIds) {
      step.outputs.push_back(locate(id));
      step.outputs.back().offset += outputByteOffset;
      step.changesState |= step.outputs.back().where == Where::kState;
    }
    const auto& list = derived ? program_.prologue_ : program_.steps_;
    if (derived)
      for (int id : outputIds) producedBy_[at(rootOf(id))] = static_cast<int>(program_.prologue_.size());
    int64_t scratch = aligned(step.kernel->scratchBytes());
    for (size_t i = 0; i < inputIds.size(); ++i) {
      const int64_t bytes = step.kernel->packedBytes(static_cast<int>(i));
      const int root = rootOf(inputIds[i]);
      if (bytes == 0) {
        if (!derived) readAsIs_[at(root)] = 1;
        continue;
      }
      Program::Packing packing{static_cast<int>(i), {}};
      if (derived_[at(inputIds[i])] && !derived) {
        const std::string form = step.kernel->packedForm(packing.input);
        packing.packed = {Where::kDerived, reserveDerived(inputIds[i], form, bytes), 0};
        program_.cachedPackings_.push_back({producedBy_[at(root)], list.size(), step.packings.size()});
      } else {
        packing.packed = {Where::kArena, -1, scratch};  // relative to the step's scratch until the arena is placed
        scratch += aligned(bytes);
      }
      step.packings.push_back(packing);
    }
    if (scratch > 0) scratches_.push_back({derived, list.size(), scratch, n});
    if (derived) {
      program_.prologue_.push_back(std::move(step));
    } else {
      describe(op, node.scope, inputs, outputs, *step.kernel);
      program_.steps_.push_back(std::move(step));
    }
  }

  void describe(const Op& op, const std::string& scope, std::span<const Operand> inputs,
                std::span<const Operand> outputs, const Kernel& kernel) {
    Program::StepInfo step{std::string(op.name()), op.attributes(), scope, kernel.implementation(), {}, {}};
    for (const Operand& o : inputs) step.inputs.push_back(o.type), step.bytes += static_cast<double>(o.type.bytes());
    for (const Operand& o : outputs) step.outputs.push_back(o.type), step.bytes += static_cast<double>(o.type.bytes());
    step.flops = op.flops(step.inputs, step.outputs);
    program_.infos_.push_back(std::move(step));
  }

  void finishAssignments() {
    for (const auto& [state, value] : graph_.assignments()) {
      if (lastDirectAssign_.contains({state, value})) continue;
      program_.finalCopies_.push_back({locate(state), locate(value), info(state).type.bytes()});
    }
    for (const auto& [name, id] : graph_.outputs()) program_.outputs_[name] = {info(id).type, locate(id)};
    for (size_t id = 0; id < graph_.values().size(); ++id)
      if (graph_.values()[id].kind == ValueInfo::Kind::kInput)
        program_.inputs_[graph_.values()[id].name] = {graph_.values()[id].type, locate(static_cast<int>(id))};
  }

  void placeArena() {
    std::vector<BufferLifetime> buffers;
    std::vector<int> bufferOf(graph_.values().size(), -1);
    for (size_t id = 0; id < graph_.values().size(); ++id) {
      const int value = static_cast<int>(id);
      const bool transient = isDerived(value) && !isPersistent(value);
      if (storage_.placements[id].root != value || reused_[id] >= 0 || last_[id] < first_[id]) continue;
      if (!isArena(value) && !transient) continue;
      bufferOf[id] = static_cast<int>(buffers.size());
      buffers.push_back({info(value).type.bytes(), first_[id], last_[id]});
    }
    const size_t values = buffers.size();
    for (const Scratch& scratch : scratches_) {
      const int time = scratch.derived ? prologueTime(scratch.node) : scratch.node;
      buffers.push_back({scratch.bytes, time, time});
    }
    const ArenaPlan plan = planArena(buffers);
    program_.arenaBytes_ = plan.bytes;

    const auto settle = [&](Location& location) {
      if (location.where == Where::kState) return;
      const size_t root = at(location.index);
      location.index = derivedIndex_[root];
      if (derivedIndex_[root] >= 0) {
        location.where = Where::kDerived;
      } else if (constantOffset_[root] >= 0) {
        location.where = Where::kConstants;
        location.offset += constantOffset_[root];
      } else {
        location.offset += plan.offsets[at(bufferOf[root])];
      }
    };
    for (auto* list : {&program_.prologue_, &program_.steps_})
      for (Program::Step& step : *list) {
        std::ranges::for_each(step.inputs, settle);
        std::ranges::for_each(step.outputs, settle);
      }
    for (size_t i = 0; i < scratches_.size(); ++i) {
      const Scratch& scratch = scratches_[i];
      Program::Step& step = (scratch.derived ? program_.prologue_ : program_.steps_)[scratch.step];
      step.scratchOffset = plan.offsets[values + i];
      for (Program::Packing& packing : step.packings)
        if (packing.packed.where == Where::kArena) packing.packed.offset += step.scratchOffset;
    }
    for (Program::Copy& copy : program_.finalCopies_) settle(copy.to), settle(copy.from);
    for (auto* named : {&program_.inputs_, &program_.outputs_})
      for (auto& [name, entry] : *named) settle(entry.location);
  }

  struct Scratch {
    bool derived;
    size_t step;
    int64_t bytes;
    int node;
  };

  Program& program_;
  const Graph& graph_;
  Backend& backend_;
  const CompileOptions& options_;
  StoragePlan storage_;
  std::vector<char> derived_;
  int end_;
  std::vector<int> stateIndex_, first_, last_, reused_;
  std::vector<char> readAsIs_;                          ///< by root: whether a step reads it unpacked
  std::vector<int> producedBy_;                         ///< by root: the prologue's step
  std::vector<std::optional<Derivation>> derivations_;  ///< by value, as far as asked for
  std::vector<int> derivedIndex_;                       ///< by root: into the program's derived values, or −1
  std::vector<int64_t> constantOffset_;                 ///< by root, or −1
  std::set<std::pair<int, int>> lastDirectAssign_;
  std::vector<Scratch> scratches_;
  std::vector<std::pair<int64_t, std::shared_ptr<const Tensor>>> constants_;
};

Program::Program(const Graph& graph, std::shared_ptr<Backend> backend, const CompileOptions& options,
                 DerivedStore* shared)
    : backend_(std::move(backend)) {
  const auto optimized = optimize(graph, options.activation);
  ProgramBuilder builder(*this, *optimized, *backend_, options);
  builder.build();
  allocate(shared);
  for (const auto& [offset, tensor] : builder.constants())
    backend_->upload(constants_.data() + offset, tensor->data(), tensor->bytes());
}

void Program::allocate(DerivedStore* shared) {
  int64_t missing = 0;
  for (Derived& derived : derived_) {
    if (shared && derived.key) derived.entry = shared->find(*derived.key);
    if (!derived.entry) missing += derived.bytes;
  }
  const int64_t needed = arenaBytes_ + constantBytes_ + missing, available = backend_->freeBytes();
  require(needed <= available, errors::kOutOfMemory, [&] {
    return "the program needs " + std::to_string(needed) + " bytes on '" + backend_->device().name + "', of which " +
           std::to_string(available) + " are free; use a smaller batch, image or width";
  });
  constants_ = DeviceBuffer(backend_, std::max<int64_t>(constantBytes_, kAlignment));
  if (missing == 0) return;
  const auto memory = std::make_shared<DeviceBuffer>(backend_, missing);
  std::byte* next = memory->data();
  for (Derived& derived : derived_) {
    if (derived.entry) continue;
    derived.entry = std::make_shared<DerivedStore::Entry>(memory, next);
    next += derived.bytes;
    if (shared && derived.key) shared->add(*derived.key, derived.entry);
  }
}

}  // namespace jcs
