#include "backend/cuda/preferred_kernels.h"

#include "backend/cuda/kernels/conv2d.h"
#include "backend/cuda/kernels/image_convolution.h"
#include "backend/cuda/operands.h"
#include "ops/conv2d.h"
#include "ops/matmul.h"

namespace jcs::cuda {

namespace {

constexpr int64_t kFewRows = 32;

const float* floats(const std::byte* data) { return reinterpret_cast<const float*>(data); }
const float* biasOf(std::span<const std::byte* const> in, int biasInput) {
  return biasInput < 0 ? nullptr : floats(in[static_cast<size_t>(biasInput)]);
}

/// Each number a sum of its own, with all of its factors next to each other.
class RowDotsKernel : public Kernel {
 public:
  RowDotsKernel(const Prepare& p, const RowDots& dots, int biasInput)
      : launcher_(launcherOf(p.device)), dots_(dots), biasInput_(biasInput) {}
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    rowDots(launcher_, dots_, in[0], floats(in[1]), biasOf(in, biasInput_), out[0]);
  }

 private:
  Launcher launcher_;
  RowDots dots_;
  int biasInput_;
};

std::unique_ptr<Kernel> prepareConvolutionToOneChannel(const Prepare& p) {
  const auto& op = p.as<Conv2d>();
  const Operand &x = p.inputs[0], &y = p.outputs[0];
  const Shape& weights = p.inputs[1].type.shape;
  const bool applies = weights[0] == 1 && weights[2] == 1 && weights[3] == 1 && op.conv.stride == 1 &&
                       op.conv.padding == 0 && op.conv.groups == 1 && !op.residual;
  if (!applies) return nullptr;
  const RowDots dots{
      x.type.shape.rows(), 1, x.type.shape.channels(), x.rowStride, y.rowStride, x.type.dtype, y.type.dtype,
      op.activation};
  return std::make_unique<RowDotsKernel>(p, dots, op.biasInput());
}

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
    convolveImages(launcher_, convolution_, in[0], floats(in[1]), biasOf(in, biasInput_), out[0]);
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

std::unique_ptr<Kernel> preparePreferredConv2d(const Prepare& p) {
  if (auto kernel = prepareConvolutionToOneChannel(p)) return kernel;
  return ImageConvolutionKernel::serves(p) ? std::make_unique<ImageConvolutionKernel>(p) : nullptr;
}

std::unique_ptr<Kernel> preparePreferredMatmul(const Prepare& p) {
  const auto& op = p.as<Matmul>();
  const Shape &a = p.inputs[0].type.shape, &y = p.outputs[0].type.shape;
  if (op.transposeA || !op.transposeB || y[0] > kFewRows) return nullptr;
  const RowDots dots{y[0], y[1], a[1], a[1], y[1], DType::kF32, DType::kF32, op.activation};
  return std::make_unique<RowDotsKernel>(p, dots, op.bias ? 2 : -1);
}

}  // namespace jcs::cuda
