#include "backend/cuda/kernels/batch_norm.h"

#include "backend/cuda/kernels/column_sums.cuh"
#include "backend/cuda/kernels/elementwise.h"
#include "core/alignment.h"

namespace jcs::cuda {

namespace {

constexpr int kPivotRows = 8;

/// A rough mean of a channel, of rows spread over the whole: the same in every block. Moments about it do not cancel
/// when the mean is large against the deviation.
template <int V, typename T>
__device__ inline Lanes<V> pivotOf(const T* x, int64_t rows, int64_t stride, int64_t channel) {
  Lanes<V> pivot = filled<V>(0.0f);
#pragma unroll
  for (int i = 0; i < kPivotRows; ++i) {
    const Lanes<V> sample = load<V>(x + rows * i / kPivotRows * stride + channel);
#pragma unroll
    for (int v = 0; v < V; ++v) pivot.at[v] += sample.at[v] * (1.0f / kPivotRows);
  }
  return pivot;
}

/// Σ(x − pivot) and Σ(x − pivot)².
template <int V, typename T, typename Sum>
struct Moments {
  const T* x;
  int64_t rows, stride;

  struct Column {
    const T* x;
    int64_t stride;
    Lanes<V> pivot;
    __device__ void add(int64_t row, Sum (&sums)[2][V]) const {
      const Lanes<V> value = load<V>(x + row * stride);
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const Sum d = static_cast<Sum>(value.at[v]) - static_cast<Sum>(pivot.at[v]);
        sums[0][v] += d;
        sums[1][v] += d * d;
      }
    }
  };
  __device__ Column at(int64_t channel) const { return {x + channel, stride, pivotOf<V>(x, rows, stride, channel)}; }
};

/// Mean and variance from the moments, and what maps x to y.
template <typename T>
struct FinishMoments {
  const T* x;
  int64_t rows, stride;
  float epsilon;
  const float *gamma, *beta;
  float *mean, *variance, *scale, *shift;

  __device__ void operator()(int64_t, int64_t c, const double (&totals)[2]) const {
    const double count = static_cast<double>(rows), offset = totals[0] / count;
    const double m = static_cast<double>(pivotOf<1>(x, rows, stride, c).at[0]) + offset;
    const double spread = totals[1] / count - offset * offset;
    const double v = spread < 0 ? 0 : spread;  // a NaN stays one
    const double s = static_cast<double>(gamma[c]) / sqrt(v + static_cast<double>(epsilon));
    mean[c] = static_cast<float>(m);
    variance[c] = static_cast<float>(v);
    scale[c] = static_cast<float>(s);
    shift[c] = static_cast<float>(static_cast<double>(beta[c]) - m * s);
  }
};

/// What maps x to y in the forward pass, of V channels: the gradient of relu(y) counts where y > 0.
template <int V>
struct ForwardMap {
  Lanes<V> scale, shift;

  static __device__ ForwardMap of(int64_t channel, const float* gamma, const float* beta, const float* mean,
                                  const float* variance, float epsilon) {
    ForwardMap map;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const int64_t c = channel + v;
      const double s =
          static_cast<double>(gamma[c]) / sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon));
      map.scale.at[v] = static_cast<float>(s);
      map.shift.at[v] = static_cast<float>(static_cast<double>(beta[c]) - static_cast<double>(mean[c]) * s);
    }
    return map;
  }
  __device__ void mask(Lanes<V>& gradient, const Lanes<V>& x) const {
#pragma unroll
    for (int v = 0; v < V; ++v)
      if (!(x.at[v] * scale.at[v] + shift.at[v] > 0.0f)) gradient.at[v] = 0.0f;
  }
};

/// Σdy and Σdy·(x − mean).
template <int V, bool kRelu, typename G, typename X, typename Sum>
struct GradientSums {
  const G* dy;
  const X* x;
  int64_t dyStride, xStride;
  const float *gamma, *beta, *mean, *variance;
  float epsilon;

  struct Column {
    const G* dy;
    const X* x;
    int64_t dyStride, xStride;
    Lanes<V> mean;
    ForwardMap<V> forward;
    __device__ void add(int64_t row, Sum (&sums)[2][V]) const {
      Lanes<V> gradient = load<V>(dy + row * dyStride);
      const Lanes<V> value = load<V>(x + row * xStride);
      if constexpr (kRelu) forward.mask(gradient, value);
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const Sum g = static_cast<Sum>(gradient.at[v]);
        sums[0][v] += g;
        sums[1][v] += g * (static_cast<Sum>(value.at[v]) - static_cast<Sum>(mean.at[v]));
      }
    }
  };
  __device__ Column at(int64_t channel) const {
    Column column{dy + channel, x + channel, dyStride, xStride, {}, {}};
#pragma unroll
    for (int v = 0; v < V; ++v) column.mean.at[v] = mean[channel + v];
    if constexpr (kRelu) column.forward = ForwardMap<V>::of(channel, gamma, beta, mean, variance, epsilon);
    return column;
  }
};

/// dgamma, dbeta, and the coefficients of dx: gain, mean of dy, slope of dy over x, and where a ReLU follows what is
/// added to gain · x to give y.
template <typename Real>
struct FinishGradient {
  int64_t rows, channels;
  float epsilon;
  const float *gamma, *mean, *variance, *beta;
  float *dGamma, *dBeta;
  Real* coefficients;  ///< 4 × channels

  __device__ void operator()(int64_t, int64_t c, const double (&totals)[2]) const {
    const double count = static_cast<double>(rows);
    const double inverse = 1 / sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon));
    dGamma[c] = static_cast<float>(totals[1] * inverse);
    dBeta[c] = static_cast<float>(totals[0]);
    coefficients[c] = static_cast<Real>(static_cast<double>(gamma[c]) * inverse);
    coefficients[channels + c] = static_cast<Real>(totals[0] / count);
    coefficients[2 * channels + c] = static_cast<Real>(totals[1] * inverse * inverse / count);
    if (beta != nullptr)
      coefficients[3 * channels + c] =
          static_cast<Real>(ForwardMap<1>::of(c, gamma, beta, mean, variance, epsilon).shift.at[0]);
  }
};

/// V neighbours in the precision that sums are kept in.
template <int V, typename Real>
struct Reals {
  Real at[V];
};
template <int V, typename Real>
__device__ inline Reals<V, Real> loadReals(const Real* from) {
  using Group = Packed<Real, V>;  // in accesses of 16 bytes
  const Group group = *reinterpret_cast<const Group*>(from);
  Reals<V, Real> reals;
#pragma unroll
  for (int v = 0; v < V; ++v) reals.at[v] = group.at[v];
  return reals;
}

/// dx = gain · ((dy − mean of dy) − slope · (x − mean)).
template <int V, bool kRelu, typename G, typename X, typename Real>
__global__ void gradientKernel(int64_t groups, Divider perRow, int64_t channels, const G* dy, int64_t dyStride,
                               const X* x, int64_t xStride, const float* mean, const Real* coefficients, X* dx,
                               int64_t dxStride) {
  for (int64_t i = globalThread(); i < groups; i += globalThreads()) {
    int64_t row = i;
    const int64_t channel = perRow.split(row) * V;
    Lanes<V> gradient = load<V>(dy + row * dyStride + channel);
    const Lanes<V> value = load<V>(x + row * xStride + channel);
    const Lanes<V> means = load<V>(mean + channel);
    const auto gain = loadReals<V>(coefficients + channel);
    const auto meanOfDy = loadReals<V>(coefficients + channels + channel);
    const auto slope = loadReals<V>(coefficients + 2 * channels + channel);
    if constexpr (kRelu) {
      const auto shift = loadReals<V>(coefficients + 3 * channels + channel);
      ForwardMap<V> forward;
#pragma unroll
      for (int v = 0; v < V; ++v) {
        forward.scale.at[v] = static_cast<float>(gain.at[v]);
        forward.shift.at[v] = static_cast<float>(shift.at[v]);
      }
      forward.mask(gradient, value);
    }
    Lanes<V> result;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const Real centred = static_cast<Real>(value.at[v]) - static_cast<Real>(means.at[v]);
      result.at[v] = static_cast<float>(gain.at[v] *
                                        ((static_cast<Real>(gradient.at[v]) - meanOfDy.at[v]) - slope.at[v] * centred));
    }
    store(dx + row * dxStride + channel, result);
  }
}

__global__ void scaleShiftKernel(int64_t channels, float epsilon, const float* gamma, const float* beta,
                                 const float* mean, const float* variance, float* scale, float* shift) {
  for (int64_t c = globalThread(); c < channels; c += globalThreads()) {
    const float s = gamma[c] / sqrtf(variance[c] + epsilon);
    scale[c] = s;
    shift[c] = beta[c] - mean[c] * s;
  }
}

/// With few rows next to nothing is left of dx once mean and slope are taken out, hence float64 there.
constexpr int64_t kFewRows = 512;

/// Rounded so that what follows in scratch is aligned for every access.
int64_t partialBytes(const ColumnCut& cut) { return alignedUp(cut.partials(2) * (cut.rows <= kFewRows ? 8 : 4)); }

template <typename F>
void withBool(bool value, F&& f) {
  if (value) return f(std::true_type());
  f(std::false_type());
}

/// f(static_cast<Sum*>(nullptr)).
template <typename F>
void withSum(const ColumnCut& cut, F&& f) {
  if (cut.rows <= kFewRows) return f(static_cast<double*>(nullptr));
  f(static_cast<float*>(nullptr));
}

}  // namespace

int64_t batchNormScratchBytes(const ColumnCut& cut) { return partialBytes(cut) + 2 * alignedUp(cut.channels * 4); }

void batchNorm(const Launcher& launcher, const BatchNormRows& r, const BatchNormPointers& p, std::byte* scratch) {
  float* scale = reinterpret_cast<float*>(scratch + partialBytes(r.cut));
  float* shift = reinterpret_cast<float*>(scratch + partialBytes(r.cut) + alignedUp(r.cut.channels * 4));
  const int width = laneCount(r.cut.channels, {{p.x, r.xStride, sizeOf(r.dtype)}});
  withSum(r.cut, [&]<typename Sum>(Sum*) {
    withElement(r.dtype, [&]<typename T>(T*) {
      const T* x = static_cast<const T*>(p.x);
      const FinishMoments<T> finish{x,      r.cut.rows, r.xStride,  r.epsilon, p.gamma,
                                    p.beta, p.mean,     p.variance, scale,     shift};
      withLanes(width, [&](auto lanes) {
        constexpr int V = decltype(lanes)::value;
        sumColumns<2, V, Sum>(launcher, r.cut, Moments<V, T, Sum>{x, r.cut.rows, r.xStride},
                              reinterpret_cast<Sum*>(scratch), finish);
      });
    });
  });
  affineRows(launcher, {r.cut.rows, r.cut.channels, r.dtype, r.xStride, r.residualStride, r.yStride, r.activation}, p.x,
             scale, shift, p.residual, p.y);
}

int64_t batchNormGradientScratchBytes(const ColumnCut& cut) {
  return partialBytes(cut) + alignedUp(4 * cut.channels * (cut.rows <= kFewRows ? 8 : 4));
}

void batchNormGradient(const Launcher& launcher, const BatchNormGradientRows& r, const BatchNormGradientPointers& p,
                       std::byte* scratch) {
  const int64_t channels = r.cut.channels;
  const Memory dyMemory{p.dy, r.dyStride, sizeOf(r.dyDtype)}, xMemory{p.x, r.xStride, sizeOf(r.xDtype)};
  const int summed = laneCount(channels, {dyMemory, xMemory});
  const int mapped = laneCount(channels, {dyMemory, xMemory, {p.dx, r.dxStride, sizeOf(r.xDtype)}, {p.mean, 0, 4}});
  const int64_t perRow = channels / mapped, groups = r.cut.rows * perRow;
  withSum(r.cut, [&]<typename Sum>(Sum*) {
    Sum* coefficients = reinterpret_cast<Sum*>(scratch + partialBytes(r.cut));
    const FinishGradient<Sum> finish{r.cut.rows, channels, r.epsilon, p.gamma, p.mean,
                                     p.variance, p.beta,   p.dGamma,  p.dBeta, coefficients};
    withElement(r.dyDtype, [&]<typename G>(G*) {
      withElement(r.xDtype, [&]<typename X>(X*) {
        const G* dy = static_cast<const G*>(p.dy);
        const X* x = static_cast<const X*>(p.x);
        withBool(r.relu, [&](auto relu) {
          constexpr bool kRelu = decltype(relu)::value;
          withLanes(summed, [&](auto lanes) {
            constexpr int V = decltype(lanes)::value;
            const GradientSums<V, kRelu, G, X, Sum> sums{dy,     x,      r.dyStride, r.xStride, p.gamma,
                                                         p.beta, p.mean, p.variance, r.epsilon};
            sumColumns<2, V, Sum>(launcher, r.cut, sums, reinterpret_cast<Sum*>(scratch), finish);
          });
          withLanes(mapped, [&](auto lanes) {
            launch(gradientKernel<decltype(lanes)::value, kRelu, G, X, Sum>, launcher.blocksFor(groups), kBlock, 0,
                   launcher, groups, Divider(std::max<int64_t>(perRow, 1), groups), channels, dy, r.dyStride, x,
                   r.xStride, p.mean, static_cast<const Sum*>(coefficients), static_cast<X*>(p.dx), r.dxStride);
          });
        });
      });
    });
  });
}

void batchNormScaleShift(const Launcher& launcher, int64_t channels, float epsilon, const float* gamma,
                         const float* beta, const float* mean, const float* variance, float* scale, float* shift) {
  launch(scaleShiftKernel, launcher.blocksFor(channels), kBlock, 0, launcher, channels, epsilon, gamma, beta, mean,
         variance, scale, shift);
}

}  // namespace jcs::cuda
