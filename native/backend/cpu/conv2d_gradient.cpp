#include <optional>

#include "backend/cpu/convolution.h"
#include "backend/cpu/implicit_gemm.h"
#include "backend/cpu/row_sums.h"

namespace jcs::cpu {

namespace {

/// Backward passes are created with the forward pass as a hint, of the same descriptions.
dnnl::convolution_forward::primitive_desc forwardHint(const Prepare& p, const ConvolutionDescs& descs) {
  return onednnCall("convolution_forward::primitive_desc (hint)", [&] {
    return dnnl::convolution_forward::primitive_desc(
        p.device.engine(), dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, descs.x,
        descs.weights, descs.y, descs.strides, descs.dilations, descs.padding, descs.padding, userScratchpad());
  });
}

class OnednnInputGradient : public Kernel {
 public:
  explicit OnednnInputGradient(const Prepare& p) {
    const auto& op = p.as<Conv2dInputGradient>();
    const OnednnConcurrency concurrency(p.options.threads);
    const ConvolutionDescs descs(op.conv, p.outputs[0], p.inputs[1], p.inputs[0]);
    const auto description = onednnCall("convolution_backward_data::primitive_desc", [&] {
      return dnnl::convolution_backward_data::primitive_desc(
          p.device.engine(), dnnl::algorithm::convolution_direct, descs.x, descs.weights, descs.y, descs.strides,
          descs.dilations, descs.padding, descs.padding, forwardHint(p, descs), userScratchpad());
    });
    gradient_ = {
        p.device,
        p.options.threads,
        description,
        [](const auto& d) { return dnnl::convolution_backward_data(d); },
        {{DNNL_ARG_DIFF_DST, descs.y}, {DNNL_ARG_WEIGHTS, description.weights_desc()}, {DNNL_ARG_DIFF_SRC, descs.x}}};
    packing_ = WeightPacking(p, p.inputs[1], op.conv.groups, description.weights_desc());
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    gradient_.execute({{DNNL_ARG_DIFF_DST, in[0]}, {DNNL_ARG_WEIGHTS, in[1]}, {DNNL_ARG_DIFF_SRC, out[0]}}, scratch);
  }
  int64_t scratchBytes() const override { return gradient_.scratchBytes(); }
  int64_t packedBytes(int input) const override { return input == 1 ? packing_.bytes() : 0; }
  void pack(int, const std::byte* source, std::byte* packed) override { packing_.run(source, packed); }
  std::string implementation() const override { return gradient_.implementation(); }

 private:
  BoundPrimitive gradient_;
  WeightPacking packing_;
};

/// With stride 1 the input gradient is a convolution itself: of dy with the flipped kernel, outputs and inputs swapped.
class GemmInputGradient : public Kernel {
 public:
  explicit GemmInputGradient(const Prepare& p)
      : weights_(p.inputs[1].type), gemm_(p.device, p.options.threads, convolutionOf(p)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    gemm_.run(in[0], in[1], nullptr, nullptr, out[0], scratch);
  }
  int64_t scratchBytes() const override { return gemm_.scratchBytes(); }
  int64_t packedBytes(int input) const override { return input == 1 ? gemm_.packedBytes() : 0; }
  void pack(int, const std::byte* source, std::byte* packed) override {
    const Shape& w = weights_.shape;
    const int64_t taps = w[2] * w[3];
    gemm_.pack(weights_.dtype, source, {taps - 1, taps, w[1] * taps, -w[3], -1}, packed);
  }
  std::string implementation() const override { return "brgemm:implicit"; }

 private:
  static GemmConvolution convolutionOf(const Prepare& p) {
    const Conv2dAttributes& conv = p.as<Conv2dInputGradient>().conv;
    const Shape &w = p.inputs[1].type.shape, &dy = p.inputs[0].type.shape, &dx = p.outputs[0].type.shape;
    GemmConvolution c;
    c.batch = dy[0], c.height = dy[1], c.width = dy[2], c.channels = dy[3], c.pixelStride = p.inputs[0].rowStride;
    c.outHeight = dx[1], c.outWidth = dx[2], c.outChannels = dx[3], c.outPixelStride = p.outputs[0].rowStride;
    c.kernelHeight = w[2], c.kernelWidth = w[3], c.dilation = conv.dilation;
    c.padTop = conv.dilation * (w[2] - 1) - conv.padding;
    c.padLeft = conv.dilation * (w[3] - 1) - conv.padding;
    c.dtype = p.inputs[0].type.dtype, c.outDtype = p.outputs[0].type.dtype;
    return c;
  }

  TensorType weights_;
  ImplicitGemm gemm_;
};

std::unique_ptr<Kernel> prepareInputGradient(const Prepare& p) {
  if (p.inputs[0].isDense() && p.outputs[0].isDense()) return std::make_unique<OnednnInputGradient>(p);
  return std::make_unique<GemmInputGradient>(p);
}

class OnednnWeightGradient : public Kernel {
 public:
  explicit OnednnWeightGradient(const Prepare& p)
      : pool_(p.device.pool()), threads_(p.options.threads), dy_(p.inputs[1]) {
    const auto& op = p.as<Conv2dWeightGradient>();
    const OnednnConcurrency concurrency(p.options.threads);
    ConvolutionDescs descs(op.conv, p.inputs[0], p.outputs[0], p.inputs[1]);
    const auto hint = forwardHint(p, descs);
    const Shape& shape = p.outputs[0].type.shape;
    const auto plain = plainWeightsDesc(shape, DType::kF32, op.conv.groups);
    descs.weights = dnnl::memory::desc(plain.get_dims(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
    const auto description = onednnCall("convolution_backward_weights::primitive_desc", [&] {
      return dnnl::convolution_backward_weights::primitive_desc(
          p.device.engine(), dnnl::algorithm::convolution_direct, descs.x, descs.weights, descs.y, descs.strides,
          descs.dilations, descs.padding, descs.padding, hint, userScratchpad());
    });
    const auto blocked = description.diff_weights_desc();
    gradient_ = {p.device,
                 p.options.threads,
                 description,
                 [](const auto& d) { return dnnl::convolution_backward_weights(d); },
                 {{DNNL_ARG_SRC, descs.x}, {DNNL_ARG_DIFF_DST, descs.y}, {DNNL_ARG_DIFF_WEIGHTS, blocked}}};
    if (blocked != plain) {
      unpack_ = makeReorder(p.device, p.options.threads, blocked, plain);
      blockedBytes_ = align(static_cast<int64_t>(blocked.get_size()));
    }
    if (op.bias) biasSums_.emplace(1, dy_.type.shape.rows(), dy_.type.shape.channels(), 1);
  }

  /// The gradient in oneDNN's layout, then what the steps, one after another, need.
  int64_t scratchBytes() const override {
    const int64_t bias = biasSums_ ? biasSums_->scratchBytes(threads_) : 0;
    return blockedBytes_ + std::max({gradient_.scratchBytes(), unpack_.scratchBytes(), bias});
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    std::byte* const blocked = unpack_ ? scratch : out[0];
    std::byte* const rest = scratch + blockedBytes_;
    gradient_.execute({{DNNL_ARG_SRC, in[0]}, {DNNL_ARG_DIFF_DST, in[1]}, {DNNL_ARG_DIFF_WEIGHTS, blocked}}, rest);
    if (unpack_) unpack_.execute({{DNNL_ARG_FROM, blocked}, {DNNL_ARG_TO, out[0]}}, rest);
    if (biasSums_) sumBias(in[1], reinterpret_cast<float*>(out[1]), rest);
  }
  std::string implementation() const override { return gradient_.implementation(); }

 private:
  static int64_t align(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  void sumBias(const std::byte* gradient, float* bias, std::byte* scratch) {
    const int64_t channels = dy_.type.shape.channels();
    withElement(dy_.type.dtype, [&]<typename T>(T*) {
      const T* dy = reinterpret_cast<const T*>(gradient);
      biasSums_->run(
          pool_, threads_, scratch,
          [&](int64_t row, int64_t rows, float* sums) {
            addRows(rows, channels, dy + row * dy_.rowStride, dy_.rowStride, sums);
          },
          [&](int64_t, const double* totals) {
            for (int64_t c = 0; c < channels; ++c) bias[c] = static_cast<float>(totals[c]);
          });
    });
  }

  ThreadPool& pool_;
  int threads_;
  Operand dy_;
  BoundPrimitive gradient_, unpack_;
  int64_t blockedBytes_ = 0;
  std::optional<RowSums> biasSums_;
};

}  // namespace

void registerConv2dGradient(Registry& registry) {
  const bool gemm = ImplicitGemm::available();
  registry.add("conv2d_input_gradient", prepareInputGradient, [gemm](const Op& op, bool isOutput, int index) {
    const auto& conv = static_cast<const Conv2dInputGradient&>(op).conv;
    return gemm && conv.groups == 1 && conv.stride == 1 && (isOutput || index == 0);
  });
  registry.add("conv2d_weight_gradient", [](const Prepare& p) { return std::make_unique<OnednnWeightGradient>(p); });
}

}  // namespace jcs::cpu
