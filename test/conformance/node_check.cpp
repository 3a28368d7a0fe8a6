#include "conformance/node_check.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

#include "conformance/evaluate.h"
#include "conformance/placed_tensor.h"
#include "ops/elementwise.h"
#include "ops/quantized.h"

namespace jcs::conformance {

namespace {

/// How far results may be from the float64 reference run on the same, already rounded, inputs.
struct Bound {
  double norm;     ///< ‖result − expected‖ / ‖expected‖
  double element;  ///< |result − expected| of any element / the largest |expected|: one wrong pixel is an error
};

/// Bytes: equal. float64: the reference against itself in other layouts. float32: rounding in sums of some thousand
/// terms. bf16: results and weights carry 8 bits, half a unit of which is 2^-9 = 0.002.
Bound boundOf(DType dtype) {
  switch (dtype) {
    case DType::kF64: return {1e-15, 1e-15};
    case DType::kF32: return {1e-5, 5e-5};
    case DType::kBF16: return {5e-3, 2e-2};
    case DType::kU8: return {0, 0};
  }
  return {};
}

/// Operands that lie as slices, by value id and by output. In place: outputs in the memory of their in-place inputs.
struct Layout {
  std::string name;
  std::vector<ValueId> slicedInputs;
  std::vector<bool> slicedOutputs;
  bool inPlace = false;
  bool oneThread = false;
};

bool canBeSliced(const Shape& shape) { return shape.rank() >= 2 && shape.elements() > 0; }

std::vector<Layout> layoutsOf(const Backend& backend, const NodeCase& node, int threads) {
  const std::vector<bool> none(node.outputs.size(), false);
  std::vector<Layout> layouts{{"dense", {}, none}};
  if (threads > 1) layouts.push_back({"dense, one thread", {}, none, false, true});
  Layout all{"all operands sliced", {}, none};
  int sliced = 0;
  std::map<ValueId, bool> accepted;  // a value used twice is sliced only if every use accepts it
  for (size_t i = 0; i < node.inputIds.size(); ++i) {
    const bool accepts =
        backend.acceptsRowStride(*node.op, false, static_cast<int>(i)) && canBeSliced(node.inputs[i].shape());
    const auto [entry, isNew] = accepted.try_emplace(node.inputIds[i], accepts);
    if (!isNew) entry->second = entry->second && accepts;
  }
  for (const auto& [id, accepts] : accepted)
    if (accepts) {
      layouts.push_back({"input value " + std::to_string(static_cast<int>(id)) + " sliced", {id}, none});
      ++sliced;
      all.slicedInputs.push_back(id);
    }
  for (size_t k = 0; k < node.outputs.size(); ++k)
    if (backend.acceptsRowStride(*node.op, true, static_cast<int>(k)) && canBeSliced(node.outputs[k])) {
      Layout one{"output " + std::to_string(k) + " sliced", {}, none};
      ++sliced;
      one.slicedOutputs[k] = all.slicedOutputs[k] = true;
      layouts.push_back(one);
    }
  if (sliced > 1) layouts.push_back(all);

  for (size_t k = 0; k < node.outputs.size(); ++k) {
    const int input = node.op->inPlaceInput(static_cast<int>(k));
    if (input < 0) continue;
    const auto at = static_cast<size_t>(input);
    const bool sole = std::ranges::count(node.inputIds, node.inputIds[at]) == 1;
    if (sole && node.inputs[at].shape() == node.outputs[k]) {
      layouts.push_back({"in place", {}, none, true});
      break;
    }
  }
  return layouts;
}

/// The op on one backend in one layout, ready to run any number of times.
class Placement {
 public:
  Placement(std::shared_ptr<Backend> backend, const NodeCase& node, std::span<const Tensor> inputs,
            std::span<const TensorType> outputTypes, const Layout& layout, int threads)
      : backend_(std::move(backend)), node_(node), sources_(inputs) {
    for (size_t i = 0; i < inputs.size(); ++i)
      placedInputs_.try_emplace(node.inputIds[i], backend_, inputs[i].type(),
                                std::ranges::count(layout.slicedInputs, node.inputIds[i]) > 0,
                                PlacedTensor::kInputGuard);
    for (size_t k = 0; k < outputTypes.size(); ++k) {
      const int input = layout.inPlace ? node.op->inPlaceInput(static_cast<int>(k)) : -1;
      const bool aliases = input >= 0 && inputs[static_cast<size_t>(input)].type() == outputTypes[k];
      aliased_.push_back(aliases ? std::optional(node.inputIds[static_cast<size_t>(input)]) : std::nullopt);
      placedOutputs_.emplace_back(backend_, outputTypes[k], layout.slicedOutputs[k], PlacedTensor::kOutputGuard);
    }
    std::vector<Operand> inputOperands, outputOperands;
    for (const ValueId id : node.inputIds) inputOperands.push_back(placedInputs_.at(id).operand());
    for (size_t k = 0; k < outputTypes.size(); ++k) outputOperands.push_back(output(k).operand());
    const KernelOptions options{.threads = threads};
    use(backend_->prepare(*node.op, inputOperands, outputOperands, options));
    for (auto& kernel : backend_->choices(*node.op, inputOperands, outputOperands, options))
      if (kernel->implementation() != kernel_->implementation()) others_.push_back(std::move(kernel));
  }

  const Kernel& kernel() const { return *kernel_; }
  /// Takes the next one of the other kernels that can do the op here; false when there is none left.
  bool useNext() {
    if (others_.empty()) return false;
    use(std::move(others_.back()));
    others_.pop_back();
    return true;
  }

  /// Runs once; `failure` gets what was violated.
  std::vector<Tensor> run(std::string& failure) {
    for (size_t i = 0; i < sources_.size(); ++i) placedInputs_.at(node_.inputIds[i]).store(sources_[i]);
    for (PlacedTensor& placed : placedOutputs_) placed.storeUndefined();
    scratch_->storeUndefined();
    std::vector<const std::byte*> inputs;
    std::vector<std::byte*> outputs;
    for (size_t i = 0; i < sources_.size(); ++i) {
      const std::byte* data = placedInputs_.at(node_.inputIds[i]).data();
      if (packed_[i]) {
        packed_[i]->storeUndefined();
        kernel_->pack(static_cast<int>(i), data, packed_[i]->data());
        data = packed_[i]->data();
      }
      inputs.push_back(data);
    }
    for (size_t k = 0; k < placedOutputs_.size(); ++k) outputs.push_back(output(k).data());
    kernel_->run(inputs, outputs, scratch_->data());

    std::vector<Tensor> results;
    bool intact = true;
    for (size_t k = 0; k < placedOutputs_.size(); ++k) {
      results.push_back(output(k).load(intact));
      if (!intact) failure = "wrote outside output " + std::to_string(k);
    }
    for (auto& [id, placed] : placedInputs_)
      if (std::ranges::count(aliased_, id) == 0 && !placed.unchanged())
        failure = "changed input value " + std::to_string(static_cast<int>(id));
    scratch_->load(intact);
    if (!intact) failure = "wrote outside its scratch of " + std::to_string(kernel_->scratchBytes()) + " bytes";
    for (const auto& packed : packed_) {
      if (!packed) continue;
      packed->load(intact);
      if (!intact) failure = "packed past the end of packedBytes()";
    }
    return results;
  }

 private:
  void use(std::unique_ptr<Kernel> kernel) {
    kernel_ = std::move(kernel);
    const auto place = [&](int64_t bytes) {
      return std::make_unique<PlacedTensor>(backend_, bytesAs(bytes), false, PlacedTensor::kOutputGuard);
    };
    scratch_ = place(kernel_->scratchBytes());
    packed_.clear();
    for (size_t i = 0; i < sources_.size(); ++i) {
      const int64_t bytes = kernel_->packedBytes(static_cast<int>(i));
      packed_.push_back(bytes == 0 ? nullptr : place(bytes));
    }
  }
  /// Raw memory as a tensor, rounded up to whole elements.
  static TensorType bytesAs(int64_t bytes) { return {DType::kBF16, {1, (bytes + 1) / 2}}; }
  PlacedTensor& output(size_t k) { return aliased_[k] ? placedInputs_.at(*aliased_[k]) : placedOutputs_[k]; }

  std::shared_ptr<Backend> backend_;
  const NodeCase& node_;
  std::span<const Tensor> sources_;
  std::map<ValueId, PlacedTensor> placedInputs_;
  std::vector<PlacedTensor> placedOutputs_;
  std::vector<std::optional<ValueId>> aliased_;  ///< per output: the value that it overwrites
  std::unique_ptr<PlacedTensor> scratch_;
  std::vector<std::unique_ptr<PlacedTensor>> packed_;
  std::unique_ptr<Kernel> kernel_;
  std::vector<std::unique_ptr<Kernel>> others_;
};

/// Compares in float64; empty when within the bound, which `worst` is raised to otherwise as well.
std::string compare(const Tensor& result, const Tensor& expected, const Bound& bound, double& worst) {
  const Tensor converted = result.to(DType::kF64);
  const Tensor exact = expected.to(DType::kF64);
  const auto actual = converted.as<double>(), wanted = exact.as<double>();
  double difference = 0, norm = 0, largest = 0;
  size_t worstElement = 0;
  double worstDifference = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double d = std::abs(actual[i] - wanted[i]);
    if (!std::isfinite(actual[i]))
      return "element " + std::to_string(i) + " is not finite: left out, or computed from what lies between rows";
    difference += d * d;
    norm += wanted[i] * wanted[i];
    largest = std::max(largest, std::abs(wanted[i]));
    if (d > worstDifference) worstDifference = d, worstElement = i;
  }
  const double tiny = 1e-30;
  const double normError = std::sqrt(difference) / std::max(std::sqrt(norm), tiny);
  worst = std::max(worst, normError);
  if (normError <= bound.norm && worstDifference <= bound.element * std::max(largest, tiny)) return {};
  char text[240];
  std::snprintf(
      text, sizeof text,
      "normalised error %.3g (bound %.3g); worst element %zu of %zu: got %.9g, expected %.9g (bound %.3g of the "
      "largest)",
      normError, bound.norm, worstElement, wanted.size(), actual[worstElement], wanted[worstElement], bound.element);
  return text;
}

/// Bytes that numbers were rounded to: where one lies so near to the middle of two bytes that float32 may go the other
/// way, the next byte; nowhere else, and in few places.
std::string compareRounded(const Tensor& result, const Tensor& expected) {
  constexpr size_t kElementsPerTie = 500;
  const auto actual = result.as<uint8_t>(), wanted = expected.as<uint8_t>();
  size_t neighbours = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const int difference = std::abs(int{actual[i]} - int{wanted[i]});
    neighbours += difference == 1;
    if (difference > 1 || neighbours > wanted.size() / kElementsPerTie)
      return "element " + std::to_string(i) + " of " + std::to_string(wanted.size()) + ": got " +
             std::to_string(actual[i]) + ", expected " + std::to_string(wanted[i]) + "; " + std::to_string(neighbours) +
             " are one off";
  }
  return {};
}

bool roundsToBytes(const Op& op) { return is<Quantize>(op) || is<QuantizedConv2d>(op); }

std::string checkKernel(Placement& placement, const NodeCase& node, std::span<const TensorType> outputTypes,
                        std::span<const Tensor> expected, const Bound& bound, NodeReport& report) {
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (!std::ranges::all_of(placement.kernel().packedForm(static_cast<int>(i)),
                             [](char c) { return c >= ' ' && c <= '~'; }))
      return "the name of packed input " + std::to_string(i) + " is no text: another process may not find it";
  std::string failure;
  const std::vector<Tensor> first = placement.run(failure);
  if (!failure.empty()) return failure;
  for (size_t k = 0; k < first.size(); ++k) {
    const bool bytes = outputTypes[k].dtype == DType::kU8;
    failure = bytes && roundsToBytes(*node.op)
                  ? compareRounded(first[k], expected[k])
                  : compare(first[k], expected[k], bytes ? boundOf(DType::kU8) : bound, report.worstError);
    if (!failure.empty()) return "output " + std::to_string(k) + ": " + failure;
  }
  const std::vector<Tensor> second = placement.run(failure);
  for (size_t k = 0; k < first.size(); ++k)
    if (std::memcmp(first[k].data(), second[k].data(), static_cast<size_t>(first[k].bytes())) != 0)
      return "a second run gave other bits in output " + std::to_string(k);
  return failure;
}

std::string checkLayout(const std::shared_ptr<Backend>& backend, const NodeCase& node, std::span<const Tensor> inputs,
                        std::span<const TensorType> outputTypes, std::span<const Tensor> expected, const Bound& bound,
                        const Layout& layout, int threads, NodeReport& report) {
  Placement placement(backend, node, inputs, outputTypes, layout, threads);
  if (report.implementation.empty()) report.implementation = placement.kernel().implementation();
  do {
    const std::string failure = checkKernel(placement, node, outputTypes, expected, bound, report);
    if (!failure.empty()) return placement.kernel().implementation() + ": " + failure;
  } while (placement.useNext());
  return {};
}

std::string shapesOf(const NodeCase& node) {
  std::string text;
  for (const TensorType& input : node.graphTypes) text += (text.empty() ? "" : ", ") + input.shape.toString();
  return "(" + text + ")";
}

}  // namespace

std::vector<NodeCase> nodesOf(Backend& reference, const Case& row,
                              const std::function<bool(const std::string& label)>& isWanted) {
  const CaseGraph built = buildGraph(row);
  const Graph& graph = *built.graph;
  const bool takesByteOps =
      std::ranges::any_of(graph.nodes(), [](const Node& node) { return roundsToBytes(*node.op); });
  std::vector<NodeCase> nodes;
  for (const NodeId n : graph.nodes().ids()) {
    // A projection is one number in which large terms cancel: it tells nothing of a kernel's accuracy.
    if (built.isProjection(n)) continue;
    const Node& node = graph.nodes()[n];
    NodeCase one{"", node.op, node.inputs, {}, row.fixedTypes, {}, {}, takesByteOps};
    for (const ValueId id : node.inputs) one.graphTypes.push_back(graph.values()[id].type);
    for (const ValueId id : node.outputs) one.outputs.push_back(graph.values()[id].type.shape);
    one.label = row.name + ": " + std::string(node.op->name()) + " {" + node.op->attributes() + "} " + shapesOf(one);
    if (isWanted(one.label)) nodes.push_back(std::move(one));
  }
  if (nodes.empty()) return nodes;
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < row.inputs.size(); ++i) inputs.push_back(makeInput(row, i));
  const PerValue<Tensor> values = Evaluation(reference, graph).run(inputs, graph.nodes().size());
  for (NodeCase& node : nodes)
    for (const ValueId id : node.inputIds) node.inputs.push_back(values[id].clone());
  return nodes;
}

std::vector<DType> inputTypes(const Op& op, std::span<const TensorType> graphTypes, DType activation, bool fixedTypes) {
  std::vector<DType> types;
  for (size_t i = 0; i < graphTypes.size(); ++i) {
    const bool float32 = op.precision(static_cast<int>(i)) == Precision::kFloat32;
    const bool broadcastOperand = is<Binary>(op) && i == 1 && graphTypes[1].shape != graphTypes[0].shape;
    const bool stays = activation == DType::kBF16 && (float32 || broadcastOperand);
    const bool fixed = fixedTypes && activation != DType::kF64;
    const bool bytes = graphTypes[i].dtype == DType::kU8;
    types.push_back(fixed || bytes ? graphTypes[i].dtype : stays ? DType::kF32 : activation);
  }
  return types;
}

NodeReport checkNode(const std::shared_ptr<Backend>& backend, Backend& reference, const NodeCase& node,
                     std::span<const DType> types, int threads) {
  NodeReport report;
  std::vector<Tensor> inputs;
  std::vector<TensorType> inputTensorTypes, outputTypes;
  std::vector<const Tensor*> rounded;
  for (size_t i = 0; i < types.size(); ++i) {
    inputs.push_back(node.inputs[i].to(types[i]));
    inputTensorTypes.push_back(inputs.back().type());
  }
  for (const Tensor& input : inputs) rounded.push_back(&input);
  outputTypes = node.op->infer(inputTensorTypes);
  // What is made of bytes alone has a type of its own, but on a backend that has float64 only.
  for (TensorType& type : outputTypes)
    if (type.dtype != DType::kU8 && backend->supports(DType::kF64)) type.dtype = DType::kF64;
  const std::vector<Tensor> expected = evaluateOp(reference, *node.op, rounded, node.outputs);

  report.dtype = DType::kF64;
  for (std::span<const TensorType> list :
       {std::span<const TensorType>(inputTensorTypes), std::span<const TensorType>(outputTypes)})
    for (const TensorType& type : list)
      if (type.dtype != DType::kU8 && sizeOf(type.dtype) < sizeOf(report.dtype)) report.dtype = type.dtype;

  for (const Layout& layout : layoutsOf(*backend, node, threads)) {
    try {
      const std::string failure =
          checkLayout(backend, node, inputs, outputTypes, expected, boundOf(report.dtype), layout, threads, report);
      if (!failure.empty()) report.failure = layout.name + ": " + failure;
    } catch (const std::exception& error) {
      report.failure = layout.name + ": " + error.what();
    }
    if (!report.failure.empty()) break;
  }
  return report;
}

}  // namespace jcs::conformance
