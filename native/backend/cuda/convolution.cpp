#include "backend/cuda/convolution.h"

#include <limits>
#include <sstream>

namespace jcs::cuda {

namespace {

cudnnDataType_t dataType(DType dtype) {
  invariant(dtype == DType::kF32 || dtype == DType::kBF16, "a convolution is of a dtype that cuDNN is not asked for");
  return dtype == DType::kF32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

GraphTensor weightTensor(const WeightLayout& w, int64_t kernelHeight, int64_t kernelWidth) {
  const int64_t inputs = w.paddedInputs;
  return {dataType(w.dtype),
          {w.paddedOutputs, inputs, kernelHeight, kernelWidth},
          {w.taps * inputs, 1, kernelWidth * inputs, inputs},
          16};
}

ConvolutionProblem problemOf(ConvolutionProblem::Pass pass, const Conv2dAttributes& conv, const Operand& x,
                             const Operand& y, const Shape& weights, DType product, const KernelOptions& options) {
  ConvolutionProblem problem;
  problem.pass = pass;
  problem.convolution = {conv.stride, conv.padding, conv.dilation};
  problem.requirements.tensorCores = product == DType::kBF16 || options.tf32;
  problem.requirements.deterministic = options.deterministic;
  const int64_t quantum = channelQuantum(product, problem.requirements.tensorCores, conv.groups);
  problem.x = OperandLayout::of(x, quantum);
  problem.y = OperandLayout::of(y, quantum);
  problem.kernelHeight = weights[2];
  problem.kernelWidth = weights[3];
  problem.weights = {weights[0],
                     weights[1],
                     weights[2] * weights[3],
                     problem.y.paddedChannels,
                     conv.groups == 1 ? problem.x.paddedChannels : weights[1],
                     product};
  return problem;
}

}  // namespace

int64_t channelQuantum(DType dtype, bool tensorCores, int64_t groups) {
  // Padding would move channels from one group to another.
  return tensorCores && groups == 1 ? 16 / sizeOf(dtype) : 1;
}

OperandLayout OperandLayout::of(const Operand& operand, int64_t quantum) {
  const Shape& s = operand.type.shape;
  OperandLayout layout;
  layout.dtype = operand.type.dtype;
  layout.rows = s.rows();
  layout.channels = s.channels();
  layout.rowStride = operand.rowStride;
  const int64_t bytes = sizeOf(layout.dtype);
  layout.paddedChannels = roundUp(layout.channels, quantum);
  layout.copied = quantum > 1 && (layout.paddedChannels != layout.channels || layout.rowStride % quantum != 0 ||
                                  operand.alignment % 16 != 0);
  const int64_t stride = layout.copied ? layout.paddedChannels : layout.rowStride;
  layout.tensor.type = dataType(layout.dtype);
  layout.tensor.extents = {s[0], layout.paddedChannels, s[1], s[2]};
  layout.tensor.strides = {s[1] * s[2] * stride, 1, s[2] * stride, stride};
  const bool aligned = layout.copied || (operand.alignment % 16 == 0 && stride * bytes % 16 == 0);
  layout.tensor.alignment = aligned ? 16 : bytes;
  return layout;
}

int64_t OperandLayout::scratchBytes() const { return copied ? alignedUp(rows * paddedChannels * sizeOf(dtype)) : 0; }

ConvolutionProblem forwardProblem(const Conv2d& op, std::span<const Operand> inputs, const Operand& output,
                                  const KernelOptions& options) {
  ConvolutionProblem problem = problemOf(ConvolutionProblem::Pass::kForward, op.conv, inputs[0], output,
                                         inputs[1].type.shape, inputs[0].type.dtype, options);
  problem.bias = op.bias;
  problem.activation = op.activation;
  if (op.residual) {
    const Operand& residual = inputs[static_cast<size_t>(op.residualInput())];
    problem.residual = OperandLayout::of(
        residual, channelQuantum(residual.type.dtype, problem.requirements.tensorCores, op.conv.groups));
  }
  return problem;
}

ConvolutionProblem inputGradientProblem(const Conv2dInputGradient& op, std::span<const Operand> inputs,
                                        const Operand& output, const KernelOptions& options) {
  return problemOf(ConvolutionProblem::Pass::kInputGradient, op.conv, output, inputs[0], inputs[1].type.shape,
                   inputs[0].type.dtype, options);
}

ConvolutionProblem weightGradientProblem(const Conv2dWeightGradient& op, std::span<const Operand> inputs,
                                         const Operand& output, const KernelOptions& options) {
  // Sums are float32 and rounded once, to the operands' dtype: cuDNN has no tensor-core engine that keeps more.
  return problemOf(ConvolutionProblem::Pass::kWeightGradient, op.conv, inputs[0], inputs[1], output.type.shape,
                   inputs[0].type.dtype, options);
}

std::vector<ExecutionPlan> planConvolution(PlanTarget target, const ConvolutionProblem& problem, bool withEpilogue,
                                           EngineSource source, size_t limit) {
  using Pass = ConvolutionProblem::Pass;
  OperationGraph graph(target);
  const bool epilogue = withEpilogue && problem.hasEpilogue();
  const GraphTensor& y = problem.y.tensor;
  // What passes between the operations of one kernel stays in registers, in float32.
  GraphTensor sums = y;
  sums.type = CUDNN_DATA_FLOAT;
  sums.alignment = sizeOf(DType::kF32);
  graph.add(problem.x.tensor);
  graph.add(weightTensor(problem.weights, problem.kernelHeight, problem.kernelWidth));
  graph.add(y);
  switch (problem.pass) {
    case Pass::kInputGradient:
      graph.convolveInputGradient(problem.convolution, tensors::kY, tensors::kWeights, tensors::kX);
      break;
    case Pass::kWeightGradient:
      graph.convolveWeightGradient(problem.convolution, tensors::kX, tensors::kY, tensors::kWeights);
      break;
    case Pass::kForward: {
      const int64_t channels = y.extents[1];
      graph.add({CUDNN_DATA_FLOAT, {1, channels, 1, 1}, {channels, 1, channels, channels}, 16});
      graph.add(problem.residual ? problem.residual->tensor : y);
      struct Stage {
        cudnnPointwiseMode_t mode;
        std::optional<OperationGraph::TensorId> operand;
      };
      std::vector<Stage> stages;
      if (epilogue && problem.bias) stages.push_back({CUDNN_POINTWISE_ADD, tensors::kBias});
      if (epilogue && problem.residual) stages.push_back({CUDNN_POINTWISE_ADD, tensors::kResidual});
      if (epilogue && problem.activation == Activation::kRelu) stages.push_back({CUDNN_POINTWISE_RELU_FWD, {}});
      if (epilogue && problem.activation == Activation::kSigmoid) stages.push_back({CUDNN_POINTWISE_SIGMOID_FWD, {}});
      OperationGraph::TensorId from = stages.empty() ? tensors::kY : graph.add(sums, true);
      graph.convolve(problem.convolution, tensors::kX, tensors::kWeights, from);
      for (size_t i = 0; i < stages.size(); ++i) {
        const OperationGraph::TensorId to = i + 1 == stages.size() ? tensors::kY : graph.add(sums, true);
        graph.pointwise(stages[i].mode, from, stages[i].operand, to);
        from = to;
      }
    }
  }
  if (!graph.tryFinalize()) return {};
  return findPlans(graph, source, problem.requirements, limit);
}

std::string planKey(const ConvolutionProblem& problem) {
  std::ostringstream key;
  const auto add = [&](const GraphTensor& t) {
    key << "; " << t.type << '@' << t.alignment;
    for (size_t axis = 0; axis < 4; ++axis) key << ' ' << t.extents[axis] << '/' << t.strides[axis];
  };
  const OperationGraph::Convolution& c = problem.convolution;
  const PlanRequirements& r = problem.requirements;
  key << static_cast<int>(problem.pass) << ' ' << c.stride << ' ' << c.padding << ' ' << c.dilation << ' '
      << r.tensorCores << r.deterministic << ' ' << r.workspaceBytes;
  add(problem.x.tensor);
  add(weightTensor(problem.weights, problem.kernelHeight, problem.kernelWidth));
  add(problem.y.tensor);
  if (problem.isFusible()) {
    key << "; " << problem.bias << static_cast<int>(problem.activation);
    if (problem.residual) add(problem.residual->tensor);
  }
  return key.str();
}

const ChosenPlan& ConvolutionPlans::choose(const ConvolutionProblem& problem) {
  std::string key = planKey(problem);
  if (const size_t candidates = candidatesFor(problem); candidates > 1)
    key += "; fastest of " + std::to_string(candidates);
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
  ChosenPlan chosen = readKept(key);
  if (!chosen.plan) {
    chosen = make(problem);
    if (chosen.plan) files_.write(key, {chosen.plan->name(), chosen.plan->json(), chosen.fused});
  }
  return plans_.emplace(key, std::move(chosen)).first->second;
}

ChosenPlan ConvolutionPlans::readKept(const std::string& key) const {
  const auto kept = files_.read(key);
  if (!kept) return {};
  auto plan = restorePlan(target_, kept->json, kept->name);
  if (!plan) return {};
  return {std::make_shared<const ExecutionPlan>(std::move(*plan)), kept->fused};
}

ChosenPlan ConvolutionPlans::make(const ConvolutionProblem& problem) const {
  constexpr std::pair<EngineSource, bool> kOrder[] = {{EngineSource::kHeuristic, true},
                                                      {EngineSource::kHeuristic, false},
                                                      {EngineSource::kFallback, false},
                                                      {EngineSource::kFallback, true}};
  for (const auto& [source, fused] : kOrder) {
    if (fused && !problem.isFusible()) continue;
    std::vector<ExecutionPlan> plans = planConvolution(target_, problem, fused, source, candidatesFor(problem));
    if (!plans.empty()) return fastest(std::move(plans), problem, fused);
  }
  return {};
}

ChosenPlan ConvolutionPlans::fastest(std::vector<ExecutionPlan> plans, const ConvolutionProblem& problem,
                                     bool fused) const {
  size_t best = 0;
  double bestSeconds = std::numeric_limits<double>::infinity();
  for (size_t i = 0; plans.size() > 1 && i < plans.size(); ++i)
    if (const double seconds = timer_(plans[i], problem, fused); seconds < bestSeconds) best = i, bestSeconds = seconds;
  return {std::make_shared<const ExecutionPlan>(std::move(plans[best])), fused};
}

std::string describe(const ConvolutionProblem& problem) {
  static constexpr const char* kPasses[] = {"convolution", "input gradient", "weight gradient"};
  const auto extents = [](const GraphTensor& t) {
    std::string text;
    for (const int64_t extent : t.extents) text += (text.empty() ? "" : "x") + std::to_string(extent);
    return text + (t.type == CUDNN_DATA_FLOAT ? " f32" : " bf16");
  };
  const OperationGraph::Convolution& c = problem.convolution;
  return std::string(kPasses[static_cast<size_t>(problem.pass)]) + " x " + extents(problem.x.tensor) + ", y " +
         extents(problem.y.tensor) + ", kernel " + std::to_string(problem.kernelHeight) + "x" +
         std::to_string(problem.kernelWidth) + ", stride " + std::to_string(c.stride) + ", padding " +
         std::to_string(c.padding) + ", dilation " + std::to_string(c.dilation) +
         (problem.requirements.tensorCores ? "" : ", without tensor cores") + (problem.x.copied ? ", x padded" : "") +
         (problem.y.copied ? ", y padded" : "");
}

}  // namespace jcs::cuda
