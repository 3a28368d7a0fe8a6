#include "backend/cpu/convolution.h"

namespace jcs::cpu {

namespace {

/// Says all that decides where numbers lie, and nothing else: a description's own bytes have gaps between fields, of
/// which nobody knows what is in them. Empty for layouts that are only oneDNN's to know.
std::string textOf(const dnnl::memory::desc& desc) {
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked) return {};
  std::string text = "oneDNN dtype " + std::to_string(static_cast<int>(desc.get_data_type()));
  const auto add = [&](const char* name, const dnnl::memory::dims& values) {
    text += std::string(" ") + name;
    for (const dnnl::memory::dim value : values) text += ' ' + std::to_string(value);
  };
  add("dims", desc.get_dims());
  add("padded", desc.get_padded_dims());
  add("strides", desc.get_strides());
  add("blocks", desc.get_inner_blks());
  add("of axes", desc.get_inner_idxs());
  return text;
}

}  // namespace

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
      form_(textOf(packed)),
      scratch_(reorder_.scratchBytes()) {}

void WeightPacking::run(const std::byte* source, std::byte* packed) {
  reorder_.execute({{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, packed}}, scratch_.data());
}

}  // namespace jcs::cpu
