#include "ops/matmul.h"

#include "backend/cpu/onednn.h"

namespace jcs::cpu {

namespace {

dnnl::memory::desc matrixDesc(const Operand& operand, bool transposed) {
  const Shape& s = operand.type.shape;
  const auto type = onednnType(operand.type.dtype);
  if (transposed) return {{s[1], s[0]}, type, dnnl::memory::dims{1, s[1]}};
  return {{s[0], s[1]}, type, dnnl::memory::dims{s[1], 1}};
}

class MatmulKernel : public Kernel {
 public:
  explicit MatmulKernel(const Prepare& p) : biased_(p.as<Matmul>().bias) {
    const auto& op = p.as<Matmul>();
    const OnednnConcurrency concurrency(p.options.threads);
    const auto a = matrixDesc(p.inputs[0], op.transposeA), b = matrixDesc(p.inputs[1], op.transposeB);
    const auto y = matrixDesc(p.outputs[0], false);
    const dnnl::memory::desc bias =
        biased_
            ? dnnl::memory::desc({1, y.get_dims()[1]}, onednnType(p.inputs[2].type.dtype), dnnl::memory::format_tag::ab)
            : dnnl::memory::desc();
    dnnl::primitive_attr attributes = userScratchpad();
    dnnl::post_ops postOps;
    if (op.activation == Activation::kRelu) postOps.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
    if (op.activation == Activation::kSigmoid) postOps.append_eltwise(dnnl::algorithm::eltwise_logistic, 0, 0);
    attributes.set_post_ops(postOps);
    const auto description = onednnCall("matmul::primitive_desc", [&] {
      return biased_ ? dnnl::matmul::primitive_desc(p.device.engine(), a, b, bias, y, attributes)
                     : dnnl::matmul::primitive_desc(p.device.engine(), a, b, y, attributes);
    });
    product_ = {p.device,
                p.options.threads,
                description,
                [](const auto& d) { return dnnl::matmul(d); },
                {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}}};
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    product_.execute({{DNNL_ARG_SRC, in[0]},
                      {DNNL_ARG_WEIGHTS, in[1]},
                      {DNNL_ARG_BIAS, biased_ ? in[2] : nullptr},
                      {DNNL_ARG_DST, out[0]}},
                     scratch);
  }
  int64_t scratchBytes() const override { return product_.scratchBytes(); }
  std::string implementation() const override { return product_.implementation(); }

 private:
  bool biased_;
  BoundPrimitive product_;
};

}  // namespace

void registerMatmul(Registry& registry) {
  registry.add<Matmul>([](const Prepare& p) { return std::make_unique<MatmulKernel>(p); });
}

}  // namespace jcs::cpu
