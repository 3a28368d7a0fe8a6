#include "ops/conv2d.h"

#include "backend/cpu/convolution.h"

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
    const OnednnConcurrency concurrency(p.threads);
    const ConvolutionDescs descs(op.conv, p.inputs[0], p.inputs[1], p.outputs[0]);
    const dnnl::memory::desc bias = op.bias ? vectorDesc(p.inputs[2]) : dnnl::memory::desc();
    residual_ = op.residualInput();

    dnnl::primitive_attr attributes = userScratchpad();
    dnnl::post_ops postOps;
    if (op.residual) postOps.append_binary(dnnl::algorithm::binary_add, descs.y);
    if (op.activation != Activation::kNone) postOps.append_eltwise(eltwiseOf(op.activation), 0, 0);
    attributes.set_post_ops(postOps);

    const auto description = onednnCall("convolution_forward::primitive_desc", [&] {
      return dnnl::convolution_forward::primitive_desc(
          p.device.engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, descs.x,
          descs.weights, bias, descs.y, descs.strides, descs.dilations, descs.padding, descs.padding, attributes);
    });
    biased_ = op.bias;
    convolution_ = {p.device, p.threads, description, [](const auto& d) { return dnnl::convolution_forward(d); },
                    {{DNNL_ARG_SRC, descs.x},
                     {DNNL_ARG_WEIGHTS, description.weights_desc()},
                     {DNNL_ARG_BIAS, bias},
                     {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, descs.y},
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
  std::string implementation() const override { return convolution_.implementation(); }

 private:
  bool biased_ = false;
  int residual_ = -1;
  BoundPrimitive convolution_;
  WeightPacking packing_;
};

}  // namespace

void registerConv2d(Registry& registry) {
  registry.add("conv2d", [](const Prepare& p) -> std::unique_ptr<Kernel> { return std::make_unique<OnednnConv2d>(p); });
}

}  // namespace jcs::cpu
