#include "backend/cpu/single_channel.h"

#include <algorithm>

#include "backend/cpu/row_sums.h"
#include "backend/cpu/vectorise.h"
#include "ops/conv2d.h"

namespace jcs::cpu {

namespace {

constexpr const char* kName = "single channel";

/// A convolution from x, N×H×W×I, to y, N×P×Q×1; a gradient has that of its forward pass.
struct Geometry {
  int64_t stride, padding, kernelHeight, kernelWidth;
  int64_t batch, height, width, channels, outHeight, outWidth;

  Geometry(const Conv2dAttributes& conv, const Shape& x, int64_t r, int64_t s, const Shape& y)
      : stride(conv.stride),
        padding(conv.padding),
        kernelHeight(r),
        kernelWidth(s),
        batch(x[0]),
        height(x[1]),
        width(x[2]),
        channels(x[3]),
        outHeight(y[1]),
        outWidth(y[2]) {}

  int64_t taps() const { return kernelHeight * kernelWidth * channels; }
  int64_t lineLength() const { return kernelWidth * channels; }
};

bool suits(const Conv2dAttributes& conv, int64_t outputs, int64_t kernelWidth) {
  return outputs == 1 && kernelWidth > 1 && conv.groups == 1 && conv.dilation == 1;
}

struct Range {
  int64_t begin, end;
};

/// The taps of the window at `p` that lie inside [0, extent).
JCS_INLINE Range tapsInside(int64_t start, int64_t kernel, int64_t extent) {
  const int64_t begin = std::max<int64_t>(0, -start);
  return {begin, std::max(begin, std::min(kernel, extent - start))};
}

template <Vector N>
JCS_INLINE float sumOf(const N& x) {
  float sum = 0;
  for (int64_t lane = 0; lane < LanesOf<N>::count; ++lane) sum += x[lane];
  return sum;
}

/// Weights O×I×R×S of one output as R×S×I floats.
class LineWeights {
 public:
  LineWeights(DType dtype, const Geometry& g)
      : dtype_(dtype), area_(g.kernelHeight * g.kernelWidth), channels_(g.channels) {}

  int64_t bytes() const { return area_ * channels_ * static_cast<int64_t>(sizeof(float)); }
  void pack(const std::byte* source, std::byte* packed) const {
    float* const lines = reinterpret_cast<float*>(packed);
    withElement(dtype_, [&]<typename T>(T*) {
      const T* weights = reinterpret_cast<const T*>(source);
      for (int64_t c = 0; c < channels_; ++c)
        for (int64_t tap = 0; tap < area_; ++tap) lines[tap * channels_ + c] = load(weights + c * area_ + tap);
    });
  }

 private:
  DType dtype_;
  int64_t area_, channels_;
};

/// What a kernel with such weights, its second input, is made of.
class LineKernel : public Kernel {
 public:
  LineKernel(const Prepare& p, const Geometry& g)
      : pool_(p.device.pool()), threads_(p.options.threads), g_(g), weights_(p.inputs[1].type.dtype, g) {}

  int64_t packedBytes(int input) const override { return input == 1 ? weights_.bytes() : 0; }
  void pack(int, const std::byte* source, std::byte* packed) override { weights_.pack(source, packed); }
  std::string implementation() const override { return kName; }

 protected:
  ThreadPool& pool_;
  int threads_;
  Geometry g_;

 private:
  LineWeights weights_;
};

/// What is added to the sums of a row.
template <typename R>
struct Addends {
  float bias;
  const R* residual;  ///< beside the row, or null
};

template <typename T, typename R, typename Y>
void convolveRow(const Geometry& g, int64_t p, const T* x, const float* weights, const Addends<R>& addends,
                 const Epilogue& epilogue, Y* y) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    const int64_t top = p * g.stride - g.padding;
    const Range rows = tapsInside(top, g.kernelHeight, g.height);
    for (int64_t q = 0; q < g.outWidth; ++q) {
      const int64_t left = q * g.stride - g.padding;
      const Range columns = tapsInside(left, g.kernelWidth, g.width);
      const int64_t length = (columns.end - columns.begin) * g.channels;
      typename L::Floats sums{};
      float rest = addends.bias + (addends.residual == nullptr ? 0 : load(addends.residual + q));
      for (int64_t r = rows.begin; r < rows.end; ++r) {
        const T* line = x + ((top + r) * g.width + left + columns.begin) * g.channels;
        const float* taps = weights + (r * g.kernelWidth + columns.begin) * g.channels;
        int64_t i = 0;
        for (; i + L::count <= length; i += L::count)
          sums += load<typename L::Floats>(line + i) * load<typename L::Floats>(taps + i);
        for (; i < length; ++i) rest += load(line + i) * taps[i];
      }
      const float sum = atLeast(sumOf(sums) + rest, epilogue.low);
      store(y + q, epilogue.sigmoid ? sigmoidOf(sum) : sum);
    }
  });
}

class SingleChannelConvolution : public LineKernel {
 public:
  SingleChannelConvolution(const Prepare& p, const Conv2d& op)
      : LineKernel(p, {op.conv, p.inputs[0].type.shape, p.inputs[1].type.shape[2], p.inputs[1].type.shape[3],
                       p.outputs[0].type.shape}),
        epilogue_(op.activation),
        biasInput_(op.biasInput()),
        residualInput_(op.residualInput()),
        dtype_(p.inputs[0].type.dtype),
        residualDtype_(op.residual ? p.inputs[static_cast<size_t>(residualInput_)].type.dtype : DType::kF32),
        outDtype_(p.outputs[0].type.dtype) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const float bias = biasInput_ < 0 ? 0 : *reinterpret_cast<const float*>(in[static_cast<size_t>(biasInput_)]);
    const std::byte* const residual = residualInput_ < 0 ? nullptr : in[static_cast<size_t>(residualInput_)];
    const float* const weights = reinterpret_cast<const float*>(in[1]);
    withElement(dtype_, [&]<typename T>(T*) {
      withElement(residualDtype_, [&]<typename R>(R*) {
        withElement(outDtype_, [&]<typename Y>(Y*) {
          const int64_t rows = 1 + 65536 / (g_.outWidth * g_.taps());
          pool_.parallelFor(threads_, g_.batch * g_.outHeight, rows, [&](int64_t begin, int64_t end, int) {
            for (int64_t i = begin; i < end; ++i) {
              const T* image =
                  reinterpret_cast<const T*>(in[0]) + i / g_.outHeight * g_.height * g_.width * g_.channels;
              const R* beside = residual == nullptr ? nullptr : reinterpret_cast<const R*>(residual) + i * g_.outWidth;
              convolveRow(g_, i % g_.outHeight, image, weights, Addends<R>{bias, beside}, epilogue_,
                          reinterpret_cast<Y*>(out[0]) + i * g_.outWidth);
            }
          });
        });
      });
    });
  }

 private:
  Epilogue epilogue_;
  int biasInput_, residualInput_;
  DType dtype_, residualDtype_, outDtype_;
};

/// Row `h` of dx, one channel: every pixel of dy that has a window over it adds a row of the kernel.
template <typename T>
void spreadRow(const Geometry& g, int64_t h, const T* dy, const float* weights, float* row) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    std::fill_n(row, g.width, 0.0f);
    const int64_t last = h + g.padding, first = std::max<int64_t>(0, last - g.kernelHeight + g.stride);
    for (int64_t p = first / g.stride; p < std::min(last / g.stride + 1, g.outHeight); ++p) {
      const float* line = weights + (last - p * g.stride) * g.kernelWidth;
      for (int64_t q = 0; q < g.outWidth; ++q) {
        const int64_t left = q * g.stride - g.padding;
        const Range taps = tapsInside(left, g.kernelWidth, g.width);
        const float gradient = load(dy + p * g.outWidth + q);
        float* const to = row + left + taps.begin;
        mapLine<L>(to, taps.end - taps.begin, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N {
          return load<N>(to + i) + gradient * load<N>(line + taps.begin + i);
        });
      }
    }
  });
}

template <typename T>
void convertRow(int64_t width, const float* from, T* to) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    mapLine<L>(to, width, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N { return load<N>(from + i); });
  });
}

class SingleChannelInputGradient : public LineKernel {
 public:
  SingleChannelInputGradient(const Prepare& p, const Conv2dInputGradient& op)
      : LineKernel(p, {op.conv, p.outputs[0].type.shape, p.inputs[1].type.shape[2], p.inputs[1].type.shape[3],
                       p.inputs[0].type.shape}),
        dyDtype_(p.inputs[0].type.dtype),
        dtype_(p.outputs[0].type.dtype) {}

  /// A row for each thread.
  int64_t scratchBytes() const override { return threads_ * g_.width * static_cast<int64_t>(sizeof(float)); }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const float* const weights = reinterpret_cast<const float*>(in[1]);
    withElement(dyDtype_, [&]<typename G>(G*) {
      withElement(dtype_, [&]<typename T>(T*) {
        const int64_t work = g_.width * g_.kernelHeight * g_.kernelWidth / (g_.stride * g_.stride);
        pool_.parallelFor(
            threads_, g_.batch * g_.height, 1 + 65536 / (work + 1), [&](int64_t begin, int64_t end, int thread) {
              float* const row = reinterpret_cast<float*>(scratch) + thread * g_.width;
              for (int64_t i = begin; i < end; ++i) {
                const G* image = reinterpret_cast<const G*>(in[0]) + i / g_.height * g_.outHeight * g_.outWidth;
                spreadRow(g_, i % g_.height, image, weights, row);
                convertRow(g_.width, row, reinterpret_cast<T*>(out[0]) + i * g_.width);
              }
            });
      });
    });
  }

 private:
  DType dyDtype_, dtype_;
};

/// Adds to `sums`, R×S×I, what row `p` of dy brings.
template <typename T, typename G>
void addWeightGradient(const Geometry& g, int64_t p, const T* x, const G* dy, float* sums) {
  vectorised([=, &g]<typename L>(L) JCS_INLINE_LAMBDA {
    const int64_t top = p * g.stride - g.padding, length = g.lineLength();
    const Range rows = tapsInside(top, g.kernelHeight, g.height);
    // Windows from `inner.begin` to `inner.end` lie within the row of pixels.
    const int64_t reach = g.width - g.kernelWidth + g.padding;
    Range inner{std::min((g.padding + g.stride - 1) / g.stride, g.outWidth), 0};
    inner.end = std::max(inner.begin, std::min(reach < 0 ? 0 : reach / g.stride + 1, g.outWidth));
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const T* const line = x + (top + r) * g.width * g.channels;
      float* const to = sums + r * length;
      const auto addCut = [&](int64_t begin, int64_t end) JCS_INLINE_LAMBDA {
        for (int64_t q = begin; q < end; ++q) {
          const int64_t left = q * g.stride - g.padding;
          const Range taps = tapsInside(left, g.kernelWidth, g.width);
          const float gradient = load(dy + q);
          for (int64_t i = taps.begin * g.channels; i < taps.end * g.channels; ++i)
            to[i] += gradient * load(line + left * g.channels + i);
        }
      };
      addCut(0, inner.begin);
      addCut(inner.end, g.outWidth);
      mapLine<L>(to, length, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N {
        N even = load<N>(to + i), odd{};
        int64_t q = inner.begin;
        const T* from = line + (q * g.stride - g.padding) * g.channels + i;
        const int64_t step = g.stride * g.channels;
        for (; q + 2 <= inner.end; q += 2, from += 2 * step) {
          even += load(dy + q) * load<N>(from);
          odd += load(dy + q + 1) * load<N>(from + step);
        }
        if (q < inner.end) even += load(dy + q) * load<N>(from);
        return even + odd;
      });
    }
  });
}

class SingleChannelWeightGradient : public Kernel {
 public:
  SingleChannelWeightGradient(const Prepare& p, const Conv2dWeightGradient& op)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        g_(op.conv, p.inputs[0].type.shape, op.kernelHeight, op.kernelWidth, p.inputs[1].type.shape),
        dtype_(p.inputs[0].type.dtype),
        dyDtype_(p.inputs[1].type.dtype),
        sums_(1, g_.batch * g_.outHeight, g_.taps(), 1) {}

  int64_t scratchBytes() const override { return sums_.scratchBytes(threads_); }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    float* const dw = reinterpret_cast<float*>(out[0]);
    const int64_t area = g_.kernelHeight * g_.kernelWidth;
    withElement(dtype_, [&]<typename T>(T*) {
      withElement(dyDtype_, [&]<typename G>(G*) {
        sums_.run(
            pool_, threads_, scratch,
            [&](int64_t row, int64_t rows, float* sums) {
              for (int64_t i = row; i < row + rows; ++i)
                addWeightGradient(
                    g_, i % g_.outHeight,
                    reinterpret_cast<const T*>(in[0]) + i / g_.outHeight * g_.height * g_.width * g_.channels,
                    reinterpret_cast<const G*>(in[1]) + i * g_.outWidth, sums);
            },
            [&](int64_t, const double* totals) {
              for (int64_t tap = 0; tap < area; ++tap)
                for (int64_t c = 0; c < g_.channels; ++c)
                  dw[c * area + tap] = static_cast<float>(totals[tap * g_.channels + c]);
            });
      });
    });
  }
  std::string implementation() const override { return kName; }

 private:
  ThreadPool& pool_;
  int threads_;
  Geometry g_;
  DType dtype_, dyDtype_;
  RowSums sums_;
};

bool isDense(std::span<const Operand> operands) { return std::ranges::all_of(operands, &Operand::isDense); }

}  // namespace

std::unique_ptr<Kernel> singleChannelConvolution(const Prepare& p) {
  const auto& op = p.as<Conv2d>();
  const Shape& w = p.inputs[1].type.shape;
  if (!suits(op.conv, w[0], w[3]) || !isDense(p.inputs) || !isDense(p.outputs)) return nullptr;
  return std::make_unique<SingleChannelConvolution>(p, op);
}

std::unique_ptr<Kernel> singleChannelInputGradient(const Prepare& p) {
  const auto& op = p.as<Conv2dInputGradient>();
  const Shape& w = p.inputs[1].type.shape;
  if (!suits(op.conv, w[0], w[3]) || w[1] != 1 || !isDense(p.inputs) || !isDense(p.outputs)) return nullptr;
  return std::make_unique<SingleChannelInputGradient>(p, op);
}

std::unique_ptr<Kernel> singleChannelWeightGradient(const Prepare& p) {
  const auto& op = p.as<Conv2dWeightGradient>();
  if (!suits(op.conv, p.inputs[1].type.shape[3], op.kernelWidth) || !isDense(p.inputs)) return nullptr;
  return std::make_unique<SingleChannelWeightGradient>(p, op);
}

}  // namespace jcs::cpu
