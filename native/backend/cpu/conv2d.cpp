#include "ops/conv2d.h"

#include "backend/cpu/convolution.h"
#include "backend/cpu/gemm_kernel.h"
#include "backend/cpu/single_channel.h"
#include "backend/cpu/winograd.h"

namespace jcs::cpu {

namespace {

dnnl::algorithm eltwiseOf(Activation activation) {
  return activation == Activation::kRelu ? dnnl::algorithm::eltwise_relu : dnnl::algorithm::eltwise_logistic;
}

/// oneDNN's convolution with bias, residual and activation as its post-operations.
class OnednnConv2d : public Kernel {
 public:
  explicit OnednnConv2d(const Prepare& p) {
    const auto& op = p.as<Conv2d>();
    const OnednnConcurrency concurrency(p.options.threads);
    const ConvolutionDescs descs(op.conv, p.inputs[0], p.inputs[1], p.outputs[0]);
    const dnnl::memory::desc bias = op.bias ? vectorDesc(p.inputs[2]) : dnnl::memory::desc();
    residual_ = op.residualInput();
    const dnnl::memory::desc residual =
        op.residual ? channelsLastDesc(p.inputs[static_cast<size_t>(residual_)]) : dnnl::memory::desc();

    dnnl::primitive_attr attributes = userScratchpad();
    dnnl::post_ops postOps;
    if (op.residual) postOps.append_binary(dnnl::algorithm::binary_add, residual);
    if (op.activation != Activation::kNone) postOps.append_eltwise(eltwiseOf(op.activation), 0, 0);
    attributes.set_post_ops(postOps);

    const auto description = onednnCall("convolution_forward::primitive_desc", [&] {
      return dnnl::convolution_forward::primitive_desc(
          p.device.engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, descs.x,
          descs.weights, bias, descs.y, descs.strides, descs.dilations, descs.padding, descs.padding, attributes);
    });
    biased_ = op.bias;
    convolution_ = {p.device,
                    p.options.threads,
                    description,
                    [](const auto& d) { return dnnl::convolution_forward(d); },
                    {{DNNL_ARG_SRC, descs.x},
                     {DNNL_ARG_WEIGHTS, description.weights_desc()},
                     {DNNL_ARG_BIAS, bias},
                     {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, residual},
                     {DNNL_ARG_DST, descs.y}}};
    packing_ = WeightPacking(p, p.inputs[1], op.conv.groups, description.weights_desc());
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    convolution_.execute({{DNNL_ARG_SRC, in[0]},
                          {DNNL_ARG_WEIGHTS, in[1]},
                          {DNNL_ARG_BIAS, biased_ ? in[2] : nullptr},
                          {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                           residual_ >= 0 ? in[static_cast<size_t>(residual_)] : nullptr},
                          {DNNL_ARG_DST, out[0]}},
                         scratch);
  }
  int64_t scratchBytes() const override { return convolution_.scratchBytes(); }
  int64_t packedBytes(int input) const override { return input == 1 ? packing_.bytes() : 0; }
  void pack(int, const std::byte* source, std::byte* packed) override { packing_.run(source, packed); }
  std::string packedForm(int) const override { return packing_.form(); }
  std::string implementation() const override { return convolution_.implementation(); }

 private:
  bool biased_ = false;
  int residual_ = -1;
  BoundPrimitive convolution_;
  WeightPacking packing_;
};

using Winograd = GemmKernel<Conv2d, WinogradConvolution>;
using Implicit = GemmKernel<Conv2d, ImplicitGemm>;

/// From and into slices oneDNN's own convolution is a plain loop.
bool isDense(const Prepare& p) {
  const int residual = p.as<Conv2d>().residualInput();
  return p.inputs[0].isDense() && p.outputs[0].isDense() &&
         (residual < 0 || p.inputs[static_cast<size_t>(residual)].isDense());
}

std::unique_ptr<Kernel> prepareConv2d(const Prepare& p) {
  if (auto kernel = singleChannelConvolution(p)) return kernel;
  const auto convolution = gemmConvolution<Conv2d>(p);
  if (p.as<Conv2d>().conv.groups == 1 && WinogradConvolution::suits(convolution))
    return std::make_unique<Winograd>(p, convolution);
  // Measured on AVX-512 BF16: dense, oneDNN's own is 0 to 25 % faster, and up to 2.5 times for large windows on small
  // maps. Without AVX2 it is a product of patches, or where there is a residual, plain sums.
  if (p.as<Conv2d>().conv.groups != 1 || (isDense(p) && hasUkernels(DType::kF32)))
    return std::make_unique<OnednnConv2d>(p);
  return std::make_unique<Implicit>(p, convolution);
}

std::vector<std::unique_ptr<Kernel>> conv2dChoices(const Prepare& p) {
  std::vector<std::unique_ptr<Kernel>> choices;
  if (auto kernel = singleChannelConvolution(p)) choices.push_back(std::move(kernel));
  const auto convolution = gemmConvolution<Conv2d>(p);
  const bool isOneGroup = p.as<Conv2d>().conv.groups == 1;
  if (isOneGroup && WinogradConvolution::computes(convolution))
    choices.push_back(std::make_unique<Winograd>(p, convolution));
  if (isDense(p)) choices.push_back(std::make_unique<OnednnConv2d>(p));
  if (isOneGroup) choices.push_back(std::make_unique<Implicit>(p, convolution));
  return choices;
}

}  // namespace

void registerConv2d(Registry& registry) {
  registry.add<Conv2d>(prepareConv2d, [](const Op& op, bool isOutput, int index) {
    const auto& conv = static_cast<const Conv2d&>(op);
    return conv.conv.groups == 1 && (isOutput || index == 0 || index == conv.residualInput());
  });
  registry.addChoices<Conv2d>(conv2dChoices);
}

}  // namespace jcs::cpu
