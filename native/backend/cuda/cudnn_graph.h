#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backend/cuda/cudnn.h"

namespace jcs::cuda {

/// A descriptor of cuDNN's backend API: created, given attributes, finalised.
class Descriptor {
 public:
  Descriptor(const CuDnn& cudnn, cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;

  cudnnBackendDescriptor_t raw() const { return raw_; }
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values);
  void set(cudnnBackendAttributeName_t name, const Descriptor& value);
  void set(cudnnBackendAttributeName_t name, std::span<const int64_t> values) {
    set(name, CUDNN_TYPE_INT64, static_cast<int64_t>(values.size()), values.data());
  }
  void set(cudnnBackendAttributeName_t name, int64_t value) { set(name, CUDNN_TYPE_INT64, 1, &value); }
  /// Of float32 sums the scales are float32: of a double, engines read the half that is zero.
  void set(cudnnBackendAttributeName_t name, float value) { set(name, CUDNN_TYPE_FLOAT, 1, &value); }
  void set(cudnnBackendAttributeName_t name, double value) = delete;
  void set(cudnnBackendAttributeName_t name, cudnnDataType_t value) { set(name, CUDNN_TYPE_DATA_TYPE, 1, &value); }
  /// Values of an attribute, at most `limit`.
  template <typename T>
  std::vector<T> get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t limit) const {
    std::vector<T> values(static_cast<size_t>(limit));
    int64_t count = 0;
    cudnn_->check(cudnn_->getAttribute(raw_, name, type, limit, &count, values.data()), "cudnnBackendGetAttribute");
    values.resize(static_cast<size_t>(std::min(count, limit)));
    return values;
  }
  /// Descriptors that an attribute consists of, at most `limit`; none where cuDNN has none to give.
  std::vector<Descriptor> getDescriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                         int64_t limit) const;
  void finalize();
  /// False when cuDNN does not support what is described.
  bool tryFinalize();

 private:
  const CuDnn* cudnn_;
  cudnnBackendDescriptor_t raw_ = nullptr;
};

/// What plans are made for: the device of cuDNN's handle, or, where `properties` is given, the one that it describes,
/// which need not be there.
struct PlanTarget {
  const CuDnn& cudnn;
  const Descriptor* properties = nullptr;
};

/// A tensor N, C, H, W with strides in elements.
struct GraphTensor {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::array<int64_t, 4> extents{}, strides{};
  int64_t alignment = 16;  ///< bytes

  /// From its first element to its last.
  int64_t bytes() const;
};

/// Operations that cuDNN is to run as one. Tensors are numbered in the order in which they are added; those without
/// memory (`isVirtual`) pass from one operation to the next.
class OperationGraph {
 public:
  using TensorId = size_t;

  explicit OperationGraph(PlanTarget target) : target_(target) {}

  TensorId add(const GraphTensor& tensor, bool isVirtual = false);

  struct Convolution {
    int64_t stride = 1, padding = 0, dilation = 1;
  };
  void convolve(const Convolution& convolution, TensorId x, TensorId weights, TensorId y);
  void convolveInputGradient(const Convolution& convolution, TensorId dy, TensorId weights, TensorId dx);
  void convolveWeightGradient(const Convolution& convolution, TensorId x, TensorId dy, TensorId dw);
  /// y = mode(x), or mode(x, b) where the mode takes two.
  void pointwise(cudnnPointwiseMode_t mode, TensorId x, std::optional<TensorId> b, TensorId y);

  /// Nothing is added afterwards. False when cuDNN supports no such graph.
  bool tryFinalize();
  const Descriptor& descriptor() const { return *graph_; }
  const PlanTarget& target() const { return target_; }

 private:
  Descriptor convolutionDescriptor(const Convolution& convolution) const;
  void addOperation(Descriptor operation);

  PlanTarget target_;
  std::vector<Descriptor> tensors_, operations_, attributes_;
  std::unique_ptr<Descriptor> graph_;
};

/// Whose engines are asked: those that cuDNN's heuristics name for the problem, best first, or those that may serve
/// when these do not.
enum class EngineSource { kHeuristic, kFallback };

/// Which engines may be taken.
struct PlanRequirements {
  bool tensorCores = true;    ///< also for float32 operands, which they round to tf32
  bool deterministic = true;  ///< no engine whose result depends on the order in which blocks finish
  int64_t workspaceBytes = int64_t{1} << 30;
};

/// What is known of an engine before it is tried.
struct EngineNotes {
  bool tensorCores = false, downConverts = false, reducedReduction = false, nondeterministic = false;
  bool largeWinogradTiles = false;  ///< sums of large multiples of the inputs cancel: ten times the error of the others
};
bool isAllowed(const EngineNotes& engine, const PlanRequirements& requirements);

/// A graph prepared for execution by one engine.
class ExecutionPlan {
 public:
  ExecutionPlan(const CuDnn& cudnn, Descriptor plan, std::string name);

  struct Binding {
    OperationGraph::TensorId tensor;
    const void* memory;
  };
  /// Enqueues the work on the handle's stream; every tensor that is not virtual is bound.
  void execute(std::span<const Binding> bindings, std::byte* workspace) const;
  int64_t workspaceBytes() const { return workspaceBytes_; }
  const std::string& name() const { return name_; }
  /// The plan as text, compiled kernels included. Empty where this cuDNN cannot write it down.
  std::string json() const;

 private:
  const CuDnn* cudnn_;
  Descriptor plan_;
  int64_t workspaceBytes_ = 0;
  std::string name_;
};

/// The first `limit` plans for the graph, cuDNN's own preference first. Empty when no allowed engine does.
std::vector<ExecutionPlan> findPlans(const OperationGraph& graph, EngineSource source,
                                     const PlanRequirements& requirements, size_t limit);

/// What `ExecutionPlan::json` wrote down, without compiling anything again. Nothing when the text is another cuDNN's or
/// another device's.
std::optional<ExecutionPlan> restorePlan(PlanTarget target, const std::string& json, std::string name);

}  // namespace jcs::cuda
