#include "ops/batch_norm.h"

#include "backend/cpu/affine_rows.h"
#include "backend/cpu/cpu_device.h"
#include "backend/cpu/row_sums.h"

namespace jcs::cpu {

namespace {

template <typename D>
JCS_INLINE D loadDoubles(const double* p) {
  D x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

/// A rough mean per channel, of rows spread over the whole. Moments about it neither cancel, when the mean is large
/// against the deviation, nor drift.
template <typename T>
void findPivot(int64_t rows, int64_t channels, const T* x, int64_t stride, float* pivot) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    const int64_t samples = rows < 256 ? rows : 256;
    const float weight = 1.0f / static_cast<float>(samples);
    std::fill_n(pivot, channels, 0.0f);
    for (int64_t i = 0; i < samples; ++i) {
      const T* from = x + rows * i / samples * stride;
      mapLine<L>(pivot, channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA -> N {
        return load<N>(pivot + c) + weight * load<N>(from + c);
      });
    }
  });
}

/// Σ(x − pivot) and Σ(x − pivot)² per channel.
template <typename T>
void addMoments(int64_t rows, int64_t channels, const T* x, int64_t stride, const float* pivot, float* sums) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    const auto offset = [&]<typename N>(As<N>, int64_t row, int64_t c)
                            JCS_INLINE_LAMBDA -> N { return load<N>(x + row * stride + c) - load<N>(pivot + c); };
    addTerms<L>(rows, channels, sums, offset);
    addTerms<L>(rows, channels, sums + channels,
                [&]<typename N>(As<N> as, int64_t row, int64_t c) JCS_INLINE_LAMBDA -> N {
                  const N d = offset(as, row, c);
                  return d * d;
                });
  });
}

/// What maps x to the y whose ReLU follows, per channel: dy counts where y > 0.
struct ReluOf {
  const float *scale, *shift;

  template <typename N, typename G, typename X>
  JCS_INLINE N gradient(const G* dy, const X* x, int64_t c) const {
    return keepWhere(load<N>(x + c) * load<N>(scale + c) + load<N>(shift + c) > 0.0f, load<N>(dy + c));
  }
};
struct NoRelu {
  template <typename N, typename G, typename X>
  JCS_INLINE N gradient(const G* dy, const X*, int64_t c) const {
    return load<N>(dy + c);
  }
};

/// Σdy and Σdy·(x − mean) per channel.
template <typename G, typename X, typename Relu>
void addGradientSums(int64_t rows, int64_t channels, const G* dy, int64_t dyStride, const X* x, int64_t xStride,
                     const float* mean, const Relu& relu, float* sums) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    const auto gradient = [&]<typename N>(As<N>, int64_t row, int64_t c) JCS_INLINE_LAMBDA -> N {
      return relu.template gradient<N>(dy + row * dyStride, x + row * xStride, c);
    };
    addTerms<L>(rows, channels, sums, gradient);
    addTerms<L>(rows, channels, sums + channels,
                [&]<typename N>(As<N> as, int64_t row, int64_t c) JCS_INLINE_LAMBDA -> N {
                  return gradient(as, row, c) * (load<N>(x + row * xStride + c) - load<N>(mean + c));
                });
  });
}

JCS_INLINE double inDouble(float x) { return x; }
template <Vector N>
JCS_INLINE auto inDouble(const N& x) {
  return __builtin_convertvector(x, typename LanesOf<N>::Doubles);
}

/// dx = a·((dy − b) − slope·(x − mean)), coefficients per channel: mean(dy) and the slope of dy over x are taken out.
/// With few rows next to nothing is left, hence float64; the loop is bound by memory all the same.
template <typename G, typename X, typename Relu>
void gradientRows(int64_t rows, int64_t channels, const G* dy, int64_t dyStride, const X* x, int64_t xStride, X* dx,
                  int64_t dxStride, const float* mean, const double* a, const double* b, const double* slope,
                  const Relu& relu) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    for (int64_t row = 0; row < rows; ++row) {
      const G* const gradient = dy + row * dyStride;
      const X* const from = x + row * xStride;
      mapLine<L>(dx + row * dxStride, channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA -> N {
        const auto offset = inDouble(load<N>(from + c)) - inDouble(load<N>(mean + c));
        using D = std::remove_cv_t<decltype(offset)>;
        const D rest = inDouble(relu.template gradient<N>(gradient, from, c)) - loadDoubles<D>(b + c);
        const D result = loadDoubles<D>(a + c) * (rest - loadDoubles<D>(slope + c) * offset);
        if constexpr (Vector<N>)
          return __builtin_convertvector(result, N);
        else
          return static_cast<N>(result);
      });
    }
  });
}

int64_t rowGrain(int64_t channels) { return 1 + 16384 / std::max<int64_t>(channels, 1); }

class BatchNormKernel : public Kernel {
 public:
  explicit BatchNormKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        x_(p.inputs[0]),
        yStride_(p.outputs[0].rowStride),
        residualStride_(p.as<BatchNorm>().residual ? p.inputs[3].rowStride : 0),
        epsilon_(p.as<BatchNorm>().epsilon),
        epilogue_(p.as<BatchNorm>().activation),
        rows_(x_.type.shape.rows()),
        channels_(x_.type.shape.channels()),
        sums_(1, rows_, channels_, 2) {}

  int64_t scratchBytes() const override { return sums_.scratchBytes(threads_) + 3 * channels_ * 4; }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    withElement(x_.type.dtype, [&]<typename T>(T*) {
      const T* x = reinterpret_cast<const T*>(in[0]);
      const auto *gamma = reinterpret_cast<const float*>(in[1]), *beta = reinterpret_cast<const float*>(in[2]);
      T* y = reinterpret_cast<T*>(out[0]);
      auto *mean = reinterpret_cast<float*>(out[1]), *variance = reinterpret_cast<float*>(out[2]);
      float* scale = reinterpret_cast<float*>(scratch + sums_.scratchBytes(threads_));
      float* shift = scale + channels_;
      float* pivot = shift + channels_;
      findPivot(rows_, channels_, x, x_.rowStride, pivot);
      sums_.run(
          pool_, threads_, scratch,
          [&](int64_t row, int64_t rows, float* sums) {
            addMoments(rows, channels_, x + row * x_.rowStride, x_.rowStride, pivot, sums);
          },
          [&](int64_t, const double* totals) {
            const double count = static_cast<double>(rows_);
            for (int64_t c = 0; c < channels_; ++c) {
              const double offset = totals[c] / count;
              const double m = pivot[c] + offset;
              const double v = std::max(0.0, totals[channels_ + c] / count - offset * offset);
              const double s = gamma[c] / std::sqrt(v + epsilon_);
              mean[c] = static_cast<float>(m);
              variance[c] = static_cast<float>(v);
              scale[c] = static_cast<float>(s);
              shift[c] = static_cast<float>(beta[c] - m * s);
            }
          });
      pool_.parallelFor(threads_, rows_, rowGrain(channels_), [&](int64_t begin, int64_t end, int) {
        const auto apply = [&](const auto& residual) {
          affineRows(end - begin, channels_, y + begin * yStride_, yStride_, x + begin * x_.rowStride, x_.rowStride,
                     scale, shift, epilogue_, residual);
        };
        if (in.size() == 3) return apply(NoResidual());
        apply(ResidualRows<T>{reinterpret_cast<const T*>(in[3]) + begin * residualStride_, residualStride_});
      });
    });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  Operand x_;
  int64_t yStride_, residualStride_;
  float epsilon_;
  Epilogue epilogue_;
  int64_t rows_, channels_;
  RowSums sums_;
};

class BatchNormGradientKernel : public Kernel {
 public:
  explicit BatchNormGradientKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        dy_(p.inputs[0]),
        x_(p.inputs[1]),
        dxStride_(p.outputs[0].rowStride),
        epsilon_(p.as<BatchNormGradient>().epsilon),
        relu_(p.as<BatchNormGradient>().relu),
        rows_(x_.type.shape.rows()),
        channels_(x_.type.shape.channels()),
        sums_(1, rows_, channels_, 2) {}

  int64_t scratchBytes() const override { return sums_.scratchBytes(threads_) + channels_ * (3 * 8 + 2 * 4); }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    withElement(dy_.type.dtype, [&]<typename G>(G*) {
      withElement(x_.type.dtype, [&]<typename X>(X*) {
        if (!relu_) return run<G, X>(in, out, scratch, NoRelu());
        run<G, X>(in, out, scratch, forwardMap(in, scratch));
      });
    });
  }

 private:
  static const float* floats(const std::byte* data) { return reinterpret_cast<const float*>(data); }
  /// dx's coefficients, behind the sums' scratch; behind them what maps x to y.
  double* coefficientsIn(std::byte* scratch) const {
    return reinterpret_cast<double*>(scratch + sums_.scratchBytes(threads_));
  }

  ReluOf forwardMap(std::span<const std::byte* const> in, std::byte* scratch) const {
    const float *gamma = floats(in[2]), *mean = floats(in[3]), *variance = floats(in[4]), *beta = floats(in[5]);
    float* scale = reinterpret_cast<float*>(coefficientsIn(scratch) + 3 * channels_);
    float* shift = scale + channels_;
    for (int64_t c = 0; c < channels_; ++c) {  // as in the forward pass
      const double s = gamma[c] / std::sqrt(static_cast<double>(variance[c]) + epsilon_);
      scale[c] = static_cast<float>(s);
      shift[c] = static_cast<float>(beta[c] - mean[c] * s);
    }
    return {scale, shift};
  }

  template <typename G, typename X, typename Relu>
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch,
           const Relu& relu) {
    const G* dy = reinterpret_cast<const G*>(in[0]);
    const X* x = reinterpret_cast<const X*>(in[1]);
    const float *gamma = floats(in[2]), *mean = floats(in[3]), *variance = floats(in[4]);
    X* dx = reinterpret_cast<X*>(out[0]);
    auto *dGamma = reinterpret_cast<float*>(out[1]), *dBeta = reinterpret_cast<float*>(out[2]);
    double* coefficients = coefficientsIn(scratch);
    sums_.run(
        pool_, threads_, scratch,
        [&](int64_t row, int64_t rows, float* sums) {
          addGradientSums(rows, channels_, dy + row * dy_.rowStride, dy_.rowStride, x + row * x_.rowStride,
                          x_.rowStride, mean, relu, sums);
        },
        [&](int64_t, const double* totals) {
          const double count = static_cast<double>(rows_);
          for (int64_t c = 0; c < channels_; ++c) {
            const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + epsilon_);
            dGamma[c] = static_cast<float>(totals[channels_ + c] * inverse);
            dBeta[c] = static_cast<float>(totals[c]);
            coefficients[c] = gamma[c] * inverse;
            coefficients[channels_ + c] = totals[c] / count;
            coefficients[2 * channels_ + c] = totals[channels_ + c] * inverse * inverse / count;
          }
        });
    pool_.parallelFor(threads_, rows_, rowGrain(channels_), [&](int64_t begin, int64_t end, int) {
      gradientRows(end - begin, channels_, dy + begin * dy_.rowStride, dy_.rowStride, x + begin * x_.rowStride,
                   x_.rowStride, dx + begin * dxStride_, dxStride_, mean, coefficients, coefficients + channels_,
                   coefficients + 2 * channels_, relu);
    });
  }

  ThreadPool& pool_;
  int threads_;
  Operand dy_, x_;
  int64_t dxStride_;
  float epsilon_;
  bool relu_;
  int64_t rows_, channels_;
  RowSums sums_;
};

class BatchNormScaleShiftKernel : public Kernel {
 public:
  explicit BatchNormScaleShiftKernel(const Prepare& p)
      : channels_(p.inputs[0].type.elements()), epsilon_(p.as<BatchNormScaleShift>().epsilon) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const auto *gamma = reinterpret_cast<const float*>(in[0]), *beta = reinterpret_cast<const float*>(in[1]);
    const auto *mean = reinterpret_cast<const float*>(in[2]), *variance = reinterpret_cast<const float*>(in[3]);
    auto *scale = reinterpret_cast<float*>(out[0]), *shift = reinterpret_cast<float*>(out[1]);
    for (int64_t c = 0; c < channels_; ++c) {
      scale[c] = gamma[c] / std::sqrt(variance[c] + epsilon_);
      shift[c] = beta[c] - mean[c] * scale[c];
    }
  }

 private:
  int64_t channels_;
  float epsilon_;
};

}  // namespace

void registerBatchNorm(Registry& registry) {
  registry.add<BatchNorm>([](const Prepare& p) { return std::make_unique<BatchNormKernel>(p); },
                          [](const Op&, bool isOutput, int index) { return index == 0 || (!isOutput && index == 3); });
  registry.add<BatchNormGradient>(
      [](const Prepare& p) { return std::make_unique<BatchNormGradientKernel>(p); },
      [](const Op&, bool isOutput, int index) { return index == 0 || (!isOutput && index == 1); });
  registry.add<BatchNormScaleShift>([](const Prepare& p) { return std::make_unique<BatchNormScaleShiftKernel>(p); });
}

}  // namespace jcs::cpu
