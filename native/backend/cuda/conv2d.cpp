#include "ops/conv2d.h"

#include "backend/cuda/convolution.h"
#include "backend/cuda/direct_kernels.h"
#include "backend/cuda/operands.h"
#include "backend/cuda/preferred_kernels.h"

namespace jcs::cuda {

namespace {

class Conv2dKernel : public Kernel {
 public:
  Conv2dKernel(const Prepare& p, ConvolutionProblem problem, ChosenPlan chosen)
      : launcher_(launcherOf(p.device)),
        problem_(std::move(problem)),
        plan_(std::move(chosen.plan)),
        fused_(chosen.fused),
        biasInput_(p.as<Conv2d>().biasInput()),
        residualInput_(p.as<Conv2d>().residualInput()),
        y_(p.outputs[0]) {
    if (residualInput_ >= 0) residual_ = p.inputs[static_cast<size_t>(residualInput_)];
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const void* x = in[0];
    if (problem_.x.copied) padRows(launcher_, problem_.x.padding(), x, scratch), x = scratch;
    std::byte* const y = problem_.y.copied ? scratch + problem_.x.scratchBytes() : out[0];
    const auto* bias = biasInput_ < 0 ? nullptr : reinterpret_cast<const float*>(in[static_cast<size_t>(biasInput_)]);
    const void* residual = residualInput_ < 0 ? nullptr : in[static_cast<size_t>(residualInput_)];
    std::vector<ExecutionPlan::Binding> bindings{{tensors::kX, x}, {tensors::kWeights, in[1]}, {tensors::kY, y}};
    if (fused_ && bias) bindings.push_back({tensors::kBias, bias});
    if (fused_ && residual) bindings.push_back({tensors::kResidual, residual});
    plan_->execute(bindings, alignedWorkspace(scratch + problem_.x.scratchBytes() + problem_.y.scratchBytes()));
    if (problem_.y.copied || (!fused_ && problem_.hasEpilogue()))
      finishRows(launcher_, finish(), y, bias, residual, out[0]);
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
    const bool apart = !fused_ && problem_.hasEpilogue();
    return plan_->name() + (problem_.x.copied || problem_.y.copied ? " padded" : "") + (apart ? " + epilogue" : "");
  }

 private:
  FinishRows finish() const {
    FinishRows f{};
    f.rows = problem_.y.rows;
    f.channels = problem_.y.channels;
    f.dtype = problem_.y.dtype;
    f.residualDtype = residualInput_ < 0 ? f.dtype : residual_.type.dtype;
    f.xStride = problem_.y.copied ? problem_.y.paddedChannels : y_.rowStride;
    f.yStride = y_.rowStride;
    f.residualStride = residual_.rowStride;
    f.activation = problem_.activation;
    return f;
  }

  Launcher launcher_;
  ConvolutionProblem problem_;
  std::shared_ptr<const ExecutionPlan> plan_;
  bool fused_;  ///< bias, residual and activation are part of the plan
  int biasInput_, residualInput_;
  Operand y_, residual_{};
};

std::unique_ptr<Kernel> prepareConv2d(const Prepare& p) {
  if (auto kernel = preparePreferredConv2d(p)) return kernel;
  const ConvolutionProblem problem = forwardProblem(p.as<Conv2d>(), p.inputs, p.outputs[0], p.options);
  if (const ChosenPlan& chosen = p.device.convolutions->choose(problem); chosen.plan)
    return std::make_unique<Conv2dKernel>(p, problem, chosen);
  return prepareDirectConv2d(p);
}

}  // namespace

void registerConv2d(Registry& registry) {
  registry.add<Conv2d>(prepareConv2d, [](const Op& op, bool isOutput, int index) {
    return isOutput || index == 0 || index == static_cast<const Conv2d&>(op).residualInput();
  });
}

}  // namespace jcs::cuda
