#include "backend/cuda/direct_kernels.h"

#include "backend/cuda/kernels/direct_product.h"
#include "backend/cuda/kernels/reduce.h"
#include "backend/cuda/operands.h"
#include "backend/cuda/preferred_kernels.h"
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

}  // namespace

std::unique_ptr<Kernel> prepareDirectConv2d(const Prepare& p) {
  if (auto kernel = preparePreferredConv2d(p)) return kernel;
  return std::make_unique<DirectConv2d>(p);
}
std::unique_ptr<Kernel> prepareDirectConv2dInputGradient(const Prepare& p) {
  return std::make_unique<DirectInputGradientKernel>(p);
}
std::unique_ptr<Kernel> prepareDirectConv2dWeightGradient(const Prepare& p) {
  return std::make_unique<DirectWeightGradientKernel>(p);
}
std::unique_ptr<Kernel> prepareDirectMatmul(const Prepare& p) {
  if (auto kernel = preparePreferredMatmul(p)) return kernel;
  return std::make_unique<DirectMatmulKernel>(p);
}

}  // namespace jcs::cuda
