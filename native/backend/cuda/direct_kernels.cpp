#include "backend/cuda/direct_kernels.h"

#include "backend/cuda/kernels/conv2d.h"
#include "backend/cuda/kernels/direct_product.h"
#include "backend/cuda/kernels/image_convolution.h"
#include "backend/cuda/kernels/reduce.h"
#include "backend/cuda/operands.h"
#include "ops/conv2d.h"
#include "ops/matmul.h"

namespace jcs::cuda {

namespace {

const float* floats(const std::byte* data) { return reinterpret_cast<const float*>(data); }

Element elementOf(const Operand& operand) { return {operand.type.dtype, operand.rowStride}; }

ConvolutionGeometry geometryOf(const Conv2dAttributes& conv, const Shape& x, const Shape& w, const Shape& y) {
  return {x[0], x[1], x[2], x[3], y[1], y[2], y[3], w[2], w[3], conv.stride, conv.padding, conv.dilation, conv.groups};
}

class DirectConv2d : public Kernel {
 public:
  explicit DirectConv2d(const Prepare& p)
      : launcher_(launcherOf(p.device)), bias_(p.as<Conv2d>().biasInput()), residual_(p.as<Conv2d>().residualInput()) {
    const auto& op = p.as<Conv2d>();
    convolution_.g = geometryOf(op.conv, p.inputs[0].type.shape, p.inputs[1].type.shape, p.outputs[0].type.shape);
    convolution_.x = elementOf(p.inputs[0]);
    convolution_.w = elementOf(p.inputs[1]);
    convolution_.y = elementOf(p.outputs[0]);
    if (residual_ >= 0) convolution_.residual = elementOf(p.inputs[static_cast<size_t>(residual_)]);
    convolution_.activation = op.activation;
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    directConvolution(launcher_, convolution_, in[0], in[1],
                      bias_ >= 0 ? floats(in[static_cast<size_t>(bias_)]) : nullptr,
                      residual_ >= 0 ? in[static_cast<size_t>(residual_)] : nullptr, out[0]);
  }
  std::string implementation() const override { return "direct"; }

 private:
  Launcher launcher_;
  int bias_, residual_;
  DirectConvolution convolution_;
};

class DirectInputGradientKernel : public Kernel {
 public:
  explicit DirectInputGradientKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)),
        gradient_{geometryOf(p.as<Conv2dInputGradient>().conv, p.outputs[0].type.shape, p.inputs[1].type.shape,
                             p.inputs[0].type.shape),
                  elementOf(p.inputs[0]), elementOf(p.inputs[1]), elementOf(p.outputs[0])} {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    directInputGradient(launcher_, gradient_, in[0], in[1], out[0]);
  }
  std::string implementation() const override { return "direct"; }

 private:
  Launcher launcher_;
  DirectInputGradient gradient_;
};

/// Sums over parts of the pixels, then over the parts; the bias' gradient is a sum over pixels.
class DirectWeightGradientKernel : public Kernel {
 public:
  explicit DirectWeightGradientKernel(const Prepare& p) : launcher_(launcherOf(p.device)) {
    const auto& op = p.as<Conv2dWeightGradient>();
    const Operand &x = p.inputs[0], &dy = p.inputs[1];
    const int processors = p.device.multiprocessors;
    gradient_ = {geometryOf(op.conv, x.type.shape, p.outputs[0].type.shape, dy.type.shape), elementOf(x), elementOf(dy),
                 1};
    gradient_.splits = weightGradientSplits(gradient_.g, processors);
    const int64_t weights = p.outputs[0].type.elements();
    partialBytes_ = gradient_.splits > 1 ? alignedUp(gradient_.splits * weights * 4) : 0;
    parts_ = {ColumnCut::of(1, gradient_.splits, weights, processors), DType::kF32, weights, 1.0};
    biased_ = op.bias;
    bias_ = {ColumnCut::of(1, dy.type.shape.rows(), dy.type.shape.channels(), processors), dy.type.dtype, dy.rowStride,
             1.0};
  }

  int64_t scratchBytes() const override {
    const int64_t parts = gradient_.splits > 1 ? columnReduceScratchBytes(parts_) : 0;
    return partialBytes_ + std::max(parts, biased_ ? columnReduceScratchBytes(bias_) : 0);
  }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    float* dw = reinterpret_cast<float*>(out[0]);
    if (gradient_.splits == 1) {
      directWeightGradient(launcher_, gradient_, in[0], in[1], dw);
    } else {
      directWeightGradient(launcher_, gradient_, in[0], in[1], reinterpret_cast<float*>(scratch));
      reduceColumns(launcher_, parts_, scratch, dw, scratch + partialBytes_);
    }
    if (biased_) reduceColumns(launcher_, bias_, in[1], reinterpret_cast<float*>(out[1]), scratch + partialBytes_);
  }
  std::string implementation() const override { return "direct"; }

 private:
  Launcher launcher_;
  DirectWeightGradient gradient_;
  int64_t partialBytes_ = 0;
  bool biased_ = false;
  ColumnReduce parts_{}, bias_{};
};

class DirectMatmulKernel : public Kernel {
 public:
  explicit DirectMatmulKernel(const Prepare& p) : launcher_(launcherOf(p.device)) {
    const auto& op = p.as<Matmul>();
    const Shape &a = p.inputs[0].type.shape, &y = p.outputs[0].type.shape;
    product_ = {y[0], y[1], a[op.transposeA ? 0 : 1], op.transposeA, op.transposeB, op.activation};
    biased_ = op.bias;
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    directMatmul(launcher_, product_, floats(in[0]), floats(in[1]), biased_ ? floats(in[2]) : nullptr,
                 reinterpret_cast<float*>(out[0]));
  }
  std::string implementation() const override { return "direct"; }

 private:
  Launcher launcher_;
  DirectMatmul product_{};
  bool biased_ = false;
};

/// A 1×1 convolution to one channel.
class RowDotsKernel : public Kernel {
 public:
  static bool serves(const Prepare& p) {
    const auto& op = p.as<Conv2d>();
    const Conv2dAttributes& conv = op.conv;
    const Shape& weights = p.inputs[1].type.shape;
    return weights[0] == 1 && weights[2] == 1 && weights[3] == 1 && conv.stride == 1 && conv.padding == 0 &&
           conv.groups == 1 && !op.residual;
  }
  explicit RowDotsKernel(const Prepare& p) : launcher_(launcherOf(p.device)), biasInput_(p.as<Conv2d>().biasInput()) {
    const Operand &x = p.inputs[0], &y = p.outputs[0];
    dots_ = {x.type.shape.rows(),      1, x.type.shape.channels(), x.rowStride, y.rowStride, x.type.dtype, y.type.dtype,
             p.as<Conv2d>().activation};
  }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const float* bias = biasInput_ < 0 ? nullptr : floats(in[static_cast<size_t>(biasInput_)]);
    rowDots(launcher_, dots_, in[0], floats(in[1]), bias, out[0]);
  }

 private:
  Launcher launcher_;
  int biasInput_;
  RowDots dots_{};
};

class FewRowsKernel : public Kernel {
 public:
  static bool serves(const Prepare& p) {
    const auto& op = p.as<Matmul>();
    return !op.transposeA && op.transposeB && p.outputs[0].type.shape[0] <= 32;
  }
  explicit FewRowsKernel(const Prepare& p) : launcher_(launcherOf(p.device)), biased_(p.as<Matmul>().bias) {
    const Shape &a = p.inputs[0].type.shape, &y = p.outputs[0].type.shape;
    dots_ = {y[0], y[1], a[1], a[1], y[1], DType::kF32, DType::kF32, p.as<Matmul>().activation};
  }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    rowDots(launcher_, dots_, in[0], floats(in[1]), biased_ ? floats(in[2]) : nullptr, out[0]);
  }

 private:
  Launcher launcher_;
  bool biased_;
  RowDots dots_{};
};

/// The first convolution of a network.
class ImageConvolutionKernel : public Kernel {
 public:
  static bool serves(const Prepare& p) {
    const auto& op = p.as<Conv2d>();
    const Operand &x = p.inputs[0], &y = p.outputs[0];
    const Shape& weights = p.inputs[1].type.shape;
    const int64_t bytes = sizeOf(y.type.dtype) * ImageConvolution::kLanes;
    const bool isAligned =
        y.rowStride % ImageConvolution::kLanes == 0 && y.alignment % std::min<int64_t>(bytes, 16) == 0;
    return weights[1] == ImageConvolution::kChannels && weights[2] == 3 && weights[3] == 3 &&
           weights[0] % ImageConvolution::kLanes == 0 && weights[0] <= ImageConvolution::kLargestOutputs &&
           op.conv.padding == 1 && op.conv.dilation == 1 && op.conv.groups == 1 && op.conv.stride <= 2 &&
           !op.residual && x.isDense() && isAligned;
  }
  explicit ImageConvolutionKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)), biasInput_(p.as<Conv2d>().biasInput()) {
    const Shape &x = p.inputs[0].type.shape, &y = p.outputs[0].type.shape;
    convolution_ = {x[0],
                    x[1],
                    x[2],
                    y[1],
                    y[2],
                    y[3],
                    p.as<Conv2d>().conv.stride,
                    p.outputs[0].rowStride,
                    p.inputs[0].type.dtype,
                    p.outputs[0].type.dtype,
                    p.as<Conv2d>().activation};
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const float* bias = biasInput_ < 0 ? nullptr : floats(in[static_cast<size_t>(biasInput_)]);
    convolveImages(launcher_, convolution_, in[0], floats(in[1]), bias, out[0]);
  }
  int64_t packedBytes(int input) const override { return input == 1 ? convolution_.packedBytes() : 0; }
  void pack(int, const std::byte* source, std::byte* packed) override {
    packImageWeights(launcher_, convolution_.outputs, floats(source), reinterpret_cast<float*>(packed));
  }
  std::string packedForm(int) const override { return "by tap and input"; }

 private:
  Launcher launcher_;
  int biasInput_;
  ImageConvolution convolution_{};
};

}  // namespace

std::unique_ptr<Kernel> prepareOwnConv2d(const Prepare& p) {
  if (RowDotsKernel::serves(p)) return std::make_unique<RowDotsKernel>(p);
  if (ImageConvolutionKernel::serves(p)) return std::make_unique<ImageConvolutionKernel>(p);
  return nullptr;
}

std::unique_ptr<Kernel> prepareFewRows(const Prepare& p) {
  return FewRowsKernel::serves(p) ? std::make_unique<FewRowsKernel>(p) : nullptr;
}

std::unique_ptr<Kernel> prepareDirectConv2d(const Prepare& p) {
  if (auto kernel = prepareOwnConv2d(p)) return kernel;
  return std::make_unique<DirectConv2d>(p);
}
std::unique_ptr<Kernel> prepareDirectConv2dInputGradient(const Prepare& p) {
  return std::make_unique<DirectInputGradientKernel>(p);
}
std::unique_ptr<Kernel> prepareDirectConv2dWeightGradient(const Prepare& p) {
  return std::make_unique<DirectWeightGradientKernel>(p);
}
std::unique_ptr<Kernel> prepareDirectMatmul(const Prepare& p) {
  if (auto kernel = prepareFewRows(p)) return kernel;
  return std::make_unique<DirectMatmulKernel>(p);
}

}  // namespace jcs::cuda
