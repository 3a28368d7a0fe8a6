#include "backend/cuda/convolution.h"
#include "backend/cuda/direct_kernels.h"
#include "backend/cuda/kernels/reduce.h"
#include "backend/cuda/operands.h"
#include "ops/conv2d.h"

namespace jcs::cuda {

namespace {

class InputGradientKernel : public Kernel {
 public:
  InputGradientKernel(const Prepare& p, ConvolutionProblem problem, std::shared_ptr<const ExecutionPlan> plan)
      : launcher_(launcherOf(p.device)), problem_(std::move(problem)), plan_(std::move(plan)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const OperandLayout &dx = problem_.x, &dy = problem_.y;
    const void* gradient = in[0];
    if (dy.copied) padRows(launcher_, dy.padding(), gradient, scratch), gradient = scratch;
    std::byte* const result = dx.copied ? scratch + dy.scratchBytes() : out[0];
    const ExecutionPlan::Binding bindings[] = {
        {tensors::kY, gradient}, {tensors::kWeights, in[1]}, {tensors::kX, result}};
    plan_->execute(bindings, alignedWorkspace(scratch + dy.scratchBytes() + dx.scratchBytes()));
    if (dx.copied) {
      const FinishRows copy{dx.rows,           dx.channels,  dx.dtype, dx.dtype,
                            dx.paddedChannels, dx.rowStride, 0,        Activation::kNone};
      finishRows(launcher_, copy, result, nullptr, nullptr, out[0]);
    }
  }
  int64_t scratchBytes() const override {
    return problem_.x.scratchBytes() + problem_.y.scratchBytes() + plan_->workspaceBytes() + kWorkspaceSlack;
  }
  int64_t packedBytes(int input) const override { return input == 1 ? problem_.weights.packedBytes() : 0; }
  void pack(int, const std::byte* source, std::byte* packed) override {
    packWeights(launcher_, problem_.weights, reinterpret_cast<const float*>(source), packed);
  }
  std::string packedForm(int) const override { return problem_.weights.form(); }
  std::string implementation() const override {
    return plan_->name() + (problem_.x.copied || problem_.y.copied ? " padded" : "");
  }

 private:
  Launcher launcher_;
  ConvolutionProblem problem_;
  std::shared_ptr<const ExecutionPlan> plan_;
};

/// dw in cuDNN's layout and then in ours; db as sums over the rows of dy.
class WeightGradientKernel : public Kernel {
 public:
  WeightGradientKernel(const Prepare& p, ConvolutionProblem problem, std::shared_ptr<const ExecutionPlan> plan)
      : launcher_(launcherOf(p.device)),
        problem_(std::move(problem)),
        plan_(std::move(plan)),
        biased_(p.as<Conv2dWeightGradient>().bias) {
    const OperandLayout& dy = problem_.y;
    sums_ = {ColumnCut::of(1, dy.rows, dy.channels, p.device.multiprocessors), dy.dtype, dy.rowStride, 1.0};
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const OperandLayout* const layouts[] = {&problem_.x, &problem_.y};
    const void* operands[2];
    std::byte* rest = scratch;
    for (size_t i = 0; i < 2; ++i) {
      operands[i] = in[i];
      if (!layouts[i]->copied) continue;
      padRows(launcher_, layouts[i]->padding(), in[i], rest);
      operands[i] = rest;
      rest += layouts[i]->scratchBytes();
    }
    std::byte* const packed = rest;
    rest += gradientBytes();
    const ExecutionPlan::Binding bindings[] = {
        {tensors::kX, operands[0]}, {tensors::kY, operands[1]}, {tensors::kWeights, packed}};
    plan_->execute(bindings, alignedWorkspace(rest));
    unpackWeights(launcher_, problem_.weights, packed, reinterpret_cast<float*>(out[0]));
    if (biased_) reduceColumns(launcher_, sums_, in[1], reinterpret_cast<float*>(out[1]), rest);
  }
  int64_t scratchBytes() const override {
    const int64_t sums = biased_ ? columnReduceScratchBytes(sums_) : 0;
    return problem_.x.scratchBytes() + problem_.y.scratchBytes() + gradientBytes() +
           std::max(plan_->workspaceBytes() + kWorkspaceSlack, sums);
  }
  std::string implementation() const override {
    return plan_->name() + (problem_.x.copied || problem_.y.copied ? " padded" : "");
  }

 private:
  int64_t gradientBytes() const { return alignedUp(problem_.weights.packedBytes()); }

  Launcher launcher_;
  ConvolutionProblem problem_;
  std::shared_ptr<const ExecutionPlan> plan_;
  bool biased_;
  ColumnReduce sums_{};
};

std::unique_ptr<Kernel> prepareInputGradient(const Prepare& p) {
  ConvolutionProblem problem = inputGradientProblem(p.as<Conv2dInputGradient>(), p.inputs, p.outputs[0], p.options);
  if (auto plan = p.device.convolutions->choose(problem).plan)
    return std::make_unique<InputGradientKernel>(p, std::move(problem), std::move(plan));
  return prepareDirectConv2dInputGradient(p);
}

std::unique_ptr<Kernel> prepareWeightGradient(const Prepare& p) {
  ConvolutionProblem problem = weightGradientProblem(p.as<Conv2dWeightGradient>(), p.inputs, p.outputs[0], p.options);
  if (auto plan = p.device.convolutions->choose(problem).plan)
    return std::make_unique<WeightGradientKernel>(p, std::move(problem), std::move(plan));
  return prepareDirectConv2dWeightGradient(p);
}

}  // namespace

void registerConv2dGradient(Registry& registry) {
  registry.add<Conv2dInputGradient>(prepareInputGradient,
                                    [](const Op&, bool isOutput, int index) { return isOutput || index == 0; });
  registry.add<Conv2dWeightGradient>(prepareWeightGradient, [](const Op&, bool isOutput, int) { return !isOutput; });
}

}  // namespace jcs::cuda
