#include "backend/cuda/cudnn_graph.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace jcs::cuda {

namespace {

/// cuDNN names tensors by numbers of ours; 0 is left out because some of its versions take it for 'none'.
int64_t uniqueId(OperationGraph::TensorId id) { return static_cast<int64_t>(id) + 1; }

void setTarget(Descriptor& descriptor, const PlanTarget& target, cudnnBackendAttributeName_t handle,
               cudnnBackendAttributeName_t properties) {
  if (target.properties) return descriptor.set(properties, *target.properties);
  cudnnHandle_t value = target.cudnn.handle();
  descriptor.set(handle, CUDNN_TYPE_HANDLE, 1, &value);
}

EngineNotes notesOf(const Descriptor& engine) {
  EngineNotes notes;
  for (const auto note : engine.get<cudnnBackendNumericalNote_t>(
           CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT)) {
    notes.tensorCores |= note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    notes.downConverts |= note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    notes.reducedReduction |= note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
    notes.nondeterministic |= note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    notes.largeWinogradTiles |=
        note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6 || note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13;
  }
  return notes;
}

/// As cuDNN numbers them, with the notes that tell what kind of engine it is.
std::string nameOf(const Descriptor& engine, const EngineNotes& notes, EngineSource source) {
  const auto index = engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1);
  return "cudnn:engine" + std::to_string(index.empty() ? -1 : index[0]) + (notes.tensorCores ? ":tensor" : "") +
         (source == EngineSource::kFallback ? ":fallback" : "");
}

}  // namespace

int64_t GraphTensor::bytes() const {
  int64_t elements = 1;
  for (size_t axis = 0; axis < extents.size(); ++axis) elements += (extents[axis] - 1) * strides[axis];
  return elements * (type == CUDNN_DATA_FLOAT ? 4 : 2);
}

Descriptor::Descriptor(const CuDnn& cudnn, cudnnBackendDescriptorType_t type) : cudnn_(&cudnn) {
  cudnn.check(cudnn.createDescriptor(type, &raw_), "cudnnBackendCreateDescriptor");
}

Descriptor::~Descriptor() {
  if (raw_) cudnn_->destroyDescriptor(raw_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : cudnn_(other.cudnn_), raw_(std::exchange(other.raw_, nullptr)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(cudnn_, other.cudnn_);
  std::swap(raw_, other.raw_);
  return *this;
}

void Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                     const void* values) {
  cudnn_->check(cudnn_->setAttribute(raw_, name, type, count, values), "cudnnBackendSetAttribute");
}

void Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value) {
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.raw_);
}

std::vector<Descriptor> Descriptor::getDescriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                                   int64_t limit) const {
  std::vector<Descriptor> descriptors;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < limit; ++i) raw.push_back(descriptors.emplace_back(*cudnn_, type).raw_);
  int64_t count = 0;
  if (cudnn_->getAttribute(raw_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, limit, &count, raw.data()) !=
      CUDNN_STATUS_SUCCESS)
    return {};
  descriptors.erase(descriptors.begin() + std::min(count, limit), descriptors.end());
  return descriptors;
}

void Descriptor::finalize() { cudnn_->check(cudnn_->finalize(raw_), "cudnnBackendFinalize"); }

bool Descriptor::tryFinalize() { return cudnn_->finalize(raw_) == CUDNN_STATUS_SUCCESS; }

OperationGraph::TensorId OperationGraph::add(const GraphTensor& tensor, bool isVirtual) {
  Descriptor descriptor(target_.cudnn, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const TensorId id = tensors_.size();
  descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, uniqueId(id));
  descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, tensor.type);
  descriptor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, tensor.extents);
  descriptor.set(CUDNN_ATTR_TENSOR_STRIDES, tensor.strides);
  descriptor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, tensor.alignment);
  descriptor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &isVirtual);
  descriptor.finalize();
  tensors_.push_back(std::move(descriptor));
  return id;
}

Descriptor OperationGraph::convolutionDescriptor(const Convolution& convolution) const {
  const auto both = [](int64_t value) { return std::array{value, value}; };
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  Descriptor descriptor(target_.cudnn, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  descriptor.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, both(convolution.padding));
  descriptor.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, both(convolution.padding));
  descriptor.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, both(convolution.dilation));
  descriptor.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, both(convolution.stride));
  descriptor.finalize();
  return descriptor;
}

void OperationGraph::addOperation(Descriptor operation) {
  operation.finalize();
  operations_.push_back(std::move(operation));
}

void OperationGraph::convolve(const Convolution& convolution, TensorId x, TensorId weights, TensorId y) {
  const Descriptor& conv = attributes_.emplace_back(convolutionDescriptor(convolution));
  Descriptor operation(target_.cudnn, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, conv);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, tensors_[x]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, tensors_[weights]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, tensors_[y]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f);
  addOperation(std::move(operation));
}

void OperationGraph::convolveInputGradient(const Convolution& convolution, TensorId dy, TensorId weights, TensorId dx) {
  const Descriptor& conv = attributes_.emplace_back(convolutionDescriptor(convolution));
  Descriptor operation(target_.cudnn, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, conv);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, tensors_[dy]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, tensors_[weights]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, tensors_[dx]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1.0f);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 0.0f);
  addOperation(std::move(operation));
}

void OperationGraph::convolveWeightGradient(const Convolution& convolution, TensorId x, TensorId dy, TensorId dw) {
  const Descriptor& conv = attributes_.emplace_back(convolutionDescriptor(convolution));
  Descriptor operation(target_.cudnn, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, conv);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, tensors_[x]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, tensors_[dy]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, tensors_[dw]);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 1.0f);
  operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 0.0f);
  addOperation(std::move(operation));
}

void OperationGraph::pointwise(cudnnPointwiseMode_t mode, TensorId x, std::optional<TensorId> b, TensorId y) {
  Descriptor& attributes = attributes_.emplace_back(target_.cudnn, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  attributes.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  attributes.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  if (mode == CUDNN_POINTWISE_RELU_FWD) {
    const cudnnNanPropagation_t propagation = CUDNN_PROPAGATE_NAN;  // a network that overflowed has to show it
    attributes.set(CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, 1, &propagation);
  }
  attributes.finalize();
  Descriptor operation(target_.cudnn, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, attributes);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensors_[x]);
  if (b) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensors_[*b]);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensors_[y]);
  addOperation(std::move(operation));
}

bool OperationGraph::tryFinalize() {
  graph_ = std::make_unique<Descriptor>(target_.cudnn, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (!target_.properties) {
    cudnnHandle_t handle = target_.cudnn.handle();
    graph_->set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
  }
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const Descriptor& operation : operations_) operations.push_back(operation.raw());
  graph_->set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(operations.size()),
              operations.data());
  return graph_->tryFinalize();
}

bool isAllowed(const EngineNotes& engine, const PlanRequirements& requirements) {
  if (requirements.deterministic && engine.nondeterministic) return false;
  if (engine.reducedReduction) return false;
  return requirements.tensorCores || !(engine.tensorCores || engine.downConverts || engine.largeWinogradTiles);
}

ExecutionPlan::ExecutionPlan(const CuDnn& cudnn, Descriptor plan, std::string name)
    : cudnn_(&cudnn), plan_(std::move(plan)), name_(std::move(name)) {
  const auto bytes = plan_.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1);
  workspaceBytes_ = bytes.empty() ? 0 : bytes[0];
}

void ExecutionPlan::execute(std::span<const Binding> bindings, std::byte* workspace) const {
  std::vector<int64_t> ids;
  std::vector<void*> pointers;
  for (const Binding& binding : bindings) {
    ids.push_back(uniqueId(binding.tensor));
    // cuDNN takes all pointers without const; inputs are only read.
    pointers.push_back(const_cast<void*>(binding.memory));
  }
  void* memory = workspace;
  Descriptor pack(*cudnn_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  const auto count = static_cast<int64_t>(ids.size());
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, ids.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &memory);
  pack.finalize();
  cudnn_->check(cudnn_->execute(cudnn_->handle(), plan_.raw(), pack.raw()), "cudnnBackendExecute");
}

std::string ExecutionPlan::json() const {
  int64_t size = 0;
  if (cudnn_->getAttribute(plan_.raw(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, &size,
                           nullptr) != CUDNN_STATUS_SUCCESS)
    return {};
  std::vector<char> text =
      plan_.get<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::max<int64_t>(size, 1));
  while (!text.empty() && text.back() == '\0') text.pop_back();
  return {text.begin(), text.end()};
}

std::optional<ExecutionPlan> restorePlan(PlanTarget target, const std::string& json, std::string name) {
  const CuDnn& cudnn = target.cudnn;
  Descriptor plan(cudnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  setTarget(plan, target, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
  // With the zero that ends it.
  if (cudnn.setAttribute(plan.raw(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                         static_cast<int64_t>(json.size()) + 1, json.c_str()) != CUDNN_STATUS_SUCCESS)
    return std::nullopt;
  if (!plan.tryFinalize()) return std::nullopt;
  return ExecutionPlan(cudnn, std::move(plan), std::move(name));
}

std::vector<ExecutionPlan> findPlans(const OperationGraph& graph, EngineSource source,
                                     const PlanRequirements& requirements, size_t limit) {
  const PlanTarget& target = graph.target();
  const CuDnn& cudnn = target.cudnn;
  const cudnnBackendHeurMode_t mode = source == EngineSource::kHeuristic ? CUDNN_HEUR_MODE_A : CUDNN_HEUR_MODE_FALLBACK;
  std::vector<ExecutionPlan> plans;
  Descriptor heuristic(cudnn, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.descriptor());
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (target.properties) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
  if (!heuristic.tryFinalize()) return plans;
  constexpr int64_t kMostCandidates = 32;
  for (const Descriptor& candidate :
       heuristic.getDescriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, kMostCandidates)) {
    const auto engines = candidate.getDescriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    if (engines.empty()) continue;
    const EngineNotes notes = notesOf(engines[0]);
    if (!isAllowed(notes, requirements)) continue;
    Descriptor plan(cudnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, candidate);
    setTarget(plan, target, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    if (!plan.tryFinalize()) continue;
    ExecutionPlan ready(cudnn, std::move(plan), nameOf(engines[0], notes, source));
    if (ready.workspaceBytes() > requirements.workspaceBytes) continue;
    plans.push_back(std::move(ready));
    if (plans.size() == limit) break;
  }
  return plans;
}

}  // namespace jcs::cuda
