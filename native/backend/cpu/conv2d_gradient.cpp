#include <optional>

#include "backend/cpu/convolution.h"
#include "backend/cpu/implicit_gemm.h"
#include "backend/cpu/row_sums.h"
#include "backend/cpu/single_channel.h"
#include "backend/cpu/winograd.h"
#include "backend/cpu/winograd_weight_gradient.h"
#include "ops/conv2d.h"

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
GemmConvolution convolutionOf(const Prepare& p) {
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

template <typename Convolution>
class GemmInputGradient : public Kernel {
 public:
  explicit GemmInputGradient(const Prepare& p)
      : weights_(p.inputs[1].type), gemm_(p.device, p.options, convolutionOf(p)) {}

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
  std::string implementation() const override { return gemm_.implementation(); }
  Arithmetic arithmetic() const override { return gemm_.arithmetic(); }

 private:
  TensorType weights_;
  Convolution gemm_;
};

std::unique_ptr<Kernel> prepareInputGradient(const Prepare& p) {
  const Conv2dAttributes& conv = p.as<Conv2dInputGradient>().conv;
  if (auto kernel = singleChannelInputGradient(p)) return kernel;
  if (conv.groups == 1 && conv.stride == 1 && WinogradConvolution::suits(convolutionOf(p)))
    return std::make_unique<GemmInputGradient<WinogradConvolution>>(p);
  const bool isDense = p.inputs[0].isDense() && p.outputs[0].isDense();
  if (conv.groups != 1 || conv.stride != 1 || (isDense && hasUkernels(DType::kF32)))
    return std::make_unique<OnednnInputGradient>(p);
  return std::make_unique<GemmInputGradient<ImplicitGemm>>(p);
}

/// Sums of dy over batch and pixels.
class BiasGradient {
 public:
  BiasGradient(const Prepare& p, const Operand& dy)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        dy_(dy),
        sums_(1, dy.type.shape.rows(), dy.type.shape.channels(), 1) {}

  int64_t scratchBytes() const { return sums_.scratchBytes(threads_); }
  void run(const std::byte* gradient, float* bias, std::byte* scratch) const {
    const int64_t channels = dy_.type.shape.channels();
    withElement(dy_.type.dtype, [&]<typename T>(T*) {
      const T* dy = reinterpret_cast<const T*>(gradient);
      sums_.run(
          pool_, threads_, scratch,
          [&](int64_t row, int64_t rows, float* sums) {
            addRows(rows, channels, dy + row * dy_.rowStride, dy_.rowStride, sums);
          },
          [&](int64_t, const double* totals) {
            for (int64_t c = 0; c < channels; ++c) bias[c] = static_cast<float>(totals[c]);
          });
    });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  Operand dy_;
  RowSums sums_;
};

class OnednnWeightGradient : public Kernel {
 public:
  explicit OnednnWeightGradient(const Prepare& p) {
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
      blockedBytes_ = alignedUp(static_cast<int64_t>(blocked.get_size()));
    }
    if (op.bias) bias_.emplace(p, p.inputs[1]);
  }

  /// The gradient in oneDNN's layout, then what the steps, one after another, need.
  int64_t scratchBytes() const override {
    const int64_t bias = bias_ ? bias_->scratchBytes() : 0;
    return blockedBytes_ + std::max({gradient_.scratchBytes(), unpack_.scratchBytes(), bias});
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    std::byte* const blocked = unpack_ ? scratch : out[0];
    std::byte* const rest = scratch + blockedBytes_;
    gradient_.execute({{DNNL_ARG_SRC, in[0]}, {DNNL_ARG_DIFF_DST, in[1]}, {DNNL_ARG_DIFF_WEIGHTS, blocked}}, rest);
    if (unpack_) unpack_.execute({{DNNL_ARG_FROM, blocked}, {DNNL_ARG_TO, out[0]}}, rest);
    if (bias_) bias_->run(in[1], reinterpret_cast<float*>(out[1]), rest);
  }
  std::string implementation() const override { return gradient_.implementation(); }

 private:
  BoundPrimitive gradient_, unpack_;
  int64_t blockedBytes_ = 0;
  std::optional<BiasGradient> bias_;
};

class WinogradWeightGradientKernel : public Kernel {
 public:
  explicit WinogradWeightGradientKernel(const Prepare& p) : gradient_(p.device, p.options.threads, forwardOf(p)) {
    if (p.as<Conv2dWeightGradient>().bias) bias_.emplace(p, p.inputs[1]);
  }

  /// The forward convolution from x to y.
  static GemmConvolution forwardOf(const Prepare& p) {
    const auto& op = p.as<Conv2dWeightGradient>();
    const Shape &x = p.inputs[0].type.shape, &dy = p.inputs[1].type.shape;
    GemmConvolution c;
    c.batch = x[0], c.height = x[1], c.width = x[2], c.channels = x[3], c.pixelStride = p.inputs[0].rowStride;
    c.outHeight = dy[1], c.outWidth = dy[2], c.outChannels = dy[3], c.outPixelStride = p.inputs[1].rowStride;
    c.kernelHeight = op.kernelHeight, c.kernelWidth = op.kernelWidth;
    c.stride = op.conv.stride, c.dilation = op.conv.dilation;
    c.padTop = c.padLeft = op.conv.padding;
    c.dtype = p.inputs[0].type.dtype;
    return c;
  }

  int64_t scratchBytes() const override {
    return std::max(gradient_.scratchBytes(), bias_ ? bias_->scratchBytes() : 0);
  }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    gradient_.run(in[0], in[1], reinterpret_cast<float*>(out[0]), scratch);
    if (bias_) bias_->run(in[1], reinterpret_cast<float*>(out[1]), scratch);
  }
  std::string implementation() const override { return WinogradWeightGradient::kName; }

 private:
  WinogradWeightGradient gradient_;
  std::optional<BiasGradient> bias_;
};

/// sums[c] += Σ weight(row) · x[row, c].
template <typename X, typename G>
void addWeightedRows(int64_t rows, int64_t channels, const X* x, int64_t xStride, const G* weights,
                     int64_t weightStride, float* sums) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    addTerms<L>(rows, channels, sums, [&]<typename N>(As<N>, int64_t row, int64_t c) JCS_INLINE_LAMBDA -> N {
      return load<N>(x + row * xStride + c) * load(weights + row * weightStride);
    });
  });
}

/// Of a 1×1 convolution to very few outputs, as maps have: weighted sums of x's rows. A product would leave nearly all
/// of its registers empty.
class NarrowWeightGradient : public Kernel {
 public:
  static bool suits(const Conv2dWeightGradient& op, const Operand& dy) {
    return op.kernelHeight == 1 && op.kernelWidth == 1 && op.conv.stride == 1 && op.conv.padding == 0 &&
           dy.type.shape.channels() <= 4;
  }

  explicit NarrowWeightGradient(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        x_(p.inputs[0]),
        dy_(p.inputs[1]),
        sums_(1, x_.type.shape.rows(), x_.type.shape.channels(), static_cast<int>(dy_.type.shape.channels())) {
    if (p.as<Conv2dWeightGradient>().bias) bias_.emplace(p, dy_);
  }

  int64_t scratchBytes() const override {
    return std::max(sums_.scratchBytes(threads_), bias_ ? bias_->scratchBytes() : 0);
  }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const int64_t channels = x_.type.shape.channels(), outputs = dy_.type.shape.channels();
    float* const dw = reinterpret_cast<float*>(out[0]);
    withElement(x_.type.dtype, [&]<typename X>(X*) {
      withElement(dy_.type.dtype, [&]<typename G>(G*) {
        const X* x = reinterpret_cast<const X*>(in[0]);
        const G* dy = reinterpret_cast<const G*>(in[1]);
        sums_.run(
            pool_, threads_, scratch,
            [&](int64_t row, int64_t rows, float* sums) {
              for (int64_t o = 0; o < outputs; ++o)
                addWeightedRows(rows, channels, x + row * x_.rowStride, x_.rowStride, dy + row * dy_.rowStride + o,
                                dy_.rowStride, sums + o * channels);
            },
            [&](int64_t, const double* totals) {
              for (int64_t i = 0; i < outputs * channels; ++i) dw[i] = static_cast<float>(totals[i]);
            });
      });
    });
    if (bias_) bias_->run(in[1], reinterpret_cast<float*>(out[1]), scratch);
  }

 private:
  ThreadPool& pool_;
  int threads_;
  Operand x_, dy_;
  RowSums sums_;
  std::optional<BiasGradient> bias_;
};

/// A weight gradient of another, and the bias's.
class WithBiasGradient : public Kernel {
 public:
  WithBiasGradient(const Prepare& p, std::unique_ptr<Kernel> weights)
      : weights_(std::move(weights)), bias_(p, p.inputs[1]) {}

  int64_t scratchBytes() const override { return std::max(weights_->scratchBytes(), bias_.scratchBytes()); }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    weights_->run(in, out, scratch);
    bias_.run(in[1], reinterpret_cast<float*>(out[1]), scratch);
  }
  std::string implementation() const override { return weights_->implementation(); }

 private:
  std::unique_ptr<Kernel> weights_;
  BiasGradient bias_;
};

std::unique_ptr<Kernel> prepareWeightGradient(const Prepare& p) {
  if (auto kernel = singleChannelWeightGradient(p))
    return p.as<Conv2dWeightGradient>().bias ? std::make_unique<WithBiasGradient>(p, std::move(kernel))
                                             : std::move(kernel);
  const bool grouped = p.as<Conv2dWeightGradient>().conv.groups != 1;
  if (!grouped && NarrowWeightGradient::suits(p.as<Conv2dWeightGradient>(), p.inputs[1]))
    return std::make_unique<NarrowWeightGradient>(p);
  if (!grouped && WinogradWeightGradient::suits(WinogradWeightGradientKernel::forwardOf(p)))
    return std::make_unique<WinogradWeightGradientKernel>(p);
  return std::make_unique<OnednnWeightGradient>(p);
}

}  // namespace

void registerConv2dGradient(Registry& registry) {
  registry.add<Conv2dInputGradient>(prepareInputGradient, [](const Op& op, bool isOutput, int index) {
    const auto& conv = static_cast<const Conv2dInputGradient&>(op).conv;
    return conv.groups == 1 && conv.stride == 1 && (isOutput || index == 0);
  });
  registry.add<Conv2dWeightGradient>(prepareWeightGradient);
}

}  // namespace jcs::cpu
