#include "backend/cpu/convolution.h"

namespace jcs::cpu {

dnnl::memory::desc plainWeightsDesc(const Shape& shape, DType dtype, int64_t groups) {
  const auto type = onednnType(dtype);
  if (groups == 1) return {{shape[0], shape[1], shape[2], shape[3]}, type, dnnl::memory::format_tag::oihw};
  return {{groups, shape[0] / groups, shape[1], shape[2], shape[3]}, type, dnnl::memory::format_tag::goihw};
}

ConvolutionDescs::ConvolutionDescs(const Conv2dAttributes& conv, const Operand& xOperand, const Operand& w,
                                   const Operand& yOperand)
    : x(channelsLastDesc(xOperand)),
      y(channelsLastDesc(yOperand)),
      strides{conv.stride, conv.stride},
      dilations{conv.dilation - 1, conv.dilation - 1},
      padding{conv.padding, conv.padding} {
  // Products are of x's precision, whatever the weights are kept in.
  weights = dnnl::memory::desc(plainWeightsDesc(w.type.shape, w.type.dtype, conv.groups).get_dims(),
                               onednnType(xOperand.type.dtype), dnnl::memory::format_tag::any);
}

WeightPacking::WeightPacking(const Prepare& p, const Operand& weights, int64_t groups, const dnnl::memory::desc& packed)
    : reorder_(makeReorder(p.device, p.options.threads,
                           plainWeightsDesc(weights.type.shape, weights.type.dtype, groups), packed)),
      bytes_(static_cast<int64_t>(packed.get_size())),
      scratch_(reorder_.scratchBytes()) {
  const std::vector<uint8_t> layout = dnnl::memory::desc(packed).get_blob();
  form_ = "oneDNN:" + std::string(layout.begin(), layout.end());
}

void WeightPacking::run(const std::byte* source, std::byte* packed) {
  reorder_.execute({{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, packed}}, scratch_.data());
}

}  // namespace jcs::cpu
