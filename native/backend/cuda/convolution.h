#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/cudnn_graph.h"
#include "backend/cuda/kernels/conv2d.h"
#include "backend/cuda/plan_files.h"
#include "ops/conv2d.h"

namespace jcs::cuda {

/// How an operand is given to cuDNN. Tensor cores read and write groups of 16 bytes along the channels. Where an
/// operand's channels come in such groups it is used as it lies, channel slices included; where they do not (the 26
/// and 52 channels of Res2Net, the 3 of an image) it passes through dense scratch whose channels are padded with zeros.
///
/// Padding inside the convolution, rather than by a pass over the graph, costs a copy of such operands and keeps
/// everything else about a program (shapes, statistics, gradients, files) free of channels that do not exist.
struct OperandLayout {
  GraphTensor tensor;
  bool copied = false;
  DType dtype = DType::kF32;
  int64_t rows = 0, channels = 0, paddedChannels = 0, rowStride = 0;

  /// Channels are padded to multiples of `quantum`; 1 takes every operand as it lies.
  static OperandLayout of(const Operand& operand, int64_t quantum);
  int64_t scratchBytes() const;
  PaddedRows padding() const { return {rows, channels, rowStride, paddedChannels, dtype}; }
};

/// The group of channels that engines for `dtype` want.
int64_t channelQuantum(DType dtype, bool tensorCores, int64_t groups);

/// A convolution, or one of its gradients, in cuDNN's terms. x, weights and y are those of the forward pass, whichever
/// of them is the result.
struct ConvolutionProblem {
  enum class Pass { kForward, kInputGradient, kWeightGradient };
  Pass pass = Pass::kForward;
  OperationGraph::Convolution convolution;
  OperandLayout x, y;
  WeightLayout weights{};
  int64_t kernelHeight = 1, kernelWidth = 1;
  PlanRequirements requirements;
  // Forward only: what the same kernel does to the sums before it stores them.
  bool bias = false;
  std::optional<OperandLayout> residual;
  Activation activation = Activation::kNone;

  bool hasEpilogue() const { return bias || residual || activation != Activation::kNone; }
  /// Whether the epilogue could be part of the plan: operands that are copied have channels that bias and residual
  /// lack.
  bool isFusible() const { return hasEpilogue() && !y.copied && !(residual && residual->copied); }
};

ConvolutionProblem forwardProblem(const Conv2d& op, std::span<const Operand> inputs, const Operand& output,
                                  const KernelOptions& options);
ConvolutionProblem inputGradientProblem(const Conv2dInputGradient& op, std::span<const Operand> inputs,
                                        const Operand& output, const KernelOptions& options);
ConvolutionProblem weightGradientProblem(const Conv2dWeightGradient& op, std::span<const Operand> inputs,
                                         const Operand& output, const KernelOptions& options);

/// The numbers of a problem's tensors in its graph.
namespace tensors {
inline constexpr OperationGraph::TensorId kX = 0, kWeights = 1, kY = 2, kBias = 3, kResidual = 4;
}

/// Plans for the problem with its epilogue, or, without `withEpilogue`, for the bare convolution: at most `limit`,
/// cuDNN's own preference first.
std::vector<ExecutionPlan> planConvolution(PlanTarget target, const ConvolutionProblem& problem, bool withEpilogue,
                                           EngineSource source, size_t limit);

struct ChosenPlan {
  std::shared_ptr<const ExecutionPlan> plan;
  bool fused = false;  ///< bias, residual and activation are part of it
};

/// Seconds that a plan takes for the problem, with the epilogue in it or without; infinite where it cannot be
/// tried.
using PlanTimer = std::function<double(const ExecutionPlan&, const ConvolutionProblem&, bool fused)>;

/// Which plans are chosen by the clock. Of a training step, most have no epilogue: convolutions before a batch norm,
/// and gradients. cuDNN has their kernels compiled, so that trying eight takes milliseconds; one with an epilogue takes
/// it half a second.
struct TimedPlans {
  size_t candidates = 1;  ///< that cuDNN prefers, of each problem; 1: none is timed
  bool fusible = false;   ///< also of problems whose epilogue could be part of the plan
};

/// The plans of a device by what they compute. The same convolution stands many times in a network and in programs of
/// the same batch, and cuDNN takes up to a second to compile the kernel for one.
class ConvolutionPlans {
 public:
  explicit ConvolutionPlans(PlanTarget target, PlanFiles files = {}) : target_(target), files_(std::move(files)) {}

  /// From now on the fastest of the first candidates is taken, by the clock, not cuDNN's first.
  void timePlans(TimedPlans which, PlanTimer timer) {
    timed_ = which;
    timer_ = std::move(timer);
  }

  /// Engines that the heuristics name come first, with the epilogue where one does it, and before every fall-back; of
  /// those the bare come first (an H100 took 9.5 ms in a fused one, 0.4 in a bare). No plan when no engine does it.
  const ChosenPlan& choose(const ConvolutionProblem& problem);

 private:
  /// No plan where the disk has none.
  ChosenPlan readKept(const std::string& key) const;
  ChosenPlan make(const ConvolutionProblem& problem) const;
  /// How many plans are compared for the problem.
  size_t candidatesFor(const ConvolutionProblem& problem) const {
    return timed_.fusible || !problem.isFusible() ? timed_.candidates : 1;
  }
  ChosenPlan fastest(std::vector<ExecutionPlan> plans, const ConvolutionProblem& problem, bool fused) const;

  PlanTarget target_;
  PlanFiles files_;
  TimedPlans timed_;
  PlanTimer timer_;
  std::map<std::string, ChosenPlan> plans_;
};

/// Everything that the choice of a plan depends on: equal text means the same plan.
std::string planKey(const ConvolutionProblem& problem);
/// Says what a problem computes; for tests.
std::string describe(const ConvolutionProblem& problem);

}  // namespace jcs::cuda
