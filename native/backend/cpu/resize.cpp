#include "ops/resize.h"

#include <algorithm>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

/// One axis as kernels read it.
struct Tap {
  int64_t low, high;
  float lowWeight, highWeight;
};

/// One axis transposed: what reads position i, and with which weight.
struct Contribution {
  int64_t from;
  float weight;
};

std::vector<Tap> tapsOf(int64_t input, int64_t output, bool alignCorners) {
  std::vector<Tap> taps;
  for (int64_t i = 0; i < output; ++i) {
    const ResizeTap tap = resizeTap(i, input, output, alignCorners);
    taps.push_back({tap.low, tap.high, static_cast<float>(1 - tap.fraction), static_cast<float>(tap.fraction)});
  }
  return taps;
}

/// The contributions to each position of the input, end to end; position i's begin at `begin[i]`.
struct Transposed {
  std::vector<int64_t> begin;
  std::vector<Contribution> entries;
};

Transposed transpose(const std::vector<Tap>& taps, int64_t input) {
  std::vector<std::vector<Contribution>> lists(static_cast<size_t>(input));
  for (size_t i = 0; i < taps.size(); ++i) {
    lists[static_cast<size_t>(taps[i].low)].push_back({static_cast<int64_t>(i), taps[i].lowWeight});
    if (taps[i].highWeight != 0)
      lists[static_cast<size_t>(taps[i].high)].push_back({static_cast<int64_t>(i), taps[i].highWeight});
  }
  Transposed result{{0}, {}};
  for (const auto& list : lists) {
    result.entries.insert(result.entries.end(), list.begin(), list.end());
    result.begin.push_back(static_cast<int64_t>(result.entries.size()));
  }
  return result;
}

/// row = low · x + high · z over a row of pixels that lie `stride` apart.
template <typename L, typename T>
JCS_INLINE void mixRows(float* row, const T* x, float low, const T* z, float high, int64_t pixels, int64_t channels,
                        int64_t stride) {
  if (stride == channels) {
    channels *= pixels;
    pixels = 1;
  }
  for (int64_t w = 0; w < pixels; ++w, row += channels, x += stride, z += stride)
    mapLine<L>(row, channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA -> N {
      return low * load<N>(x + c) + high * load<N>(z + c);
    });
}

/// row += weight · x.
template <typename L, typename T>
JCS_INLINE void addRow(float* row, const T* x, float weight, int64_t pixels, int64_t channels, int64_t stride) {
  if (stride == channels) {
    channels *= pixels;
    pixels = 1;
  }
  for (int64_t w = 0; w < pixels; ++w, row += channels, x += stride)
    mapLine<L>(row, channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA -> N {
      return load<N>(row + c) + weight * load<N>(x + c);
    });
}

/// One row of the result: mixes two rows of x into `row`, then neighbours of that.
template <typename T>
void resizeRow(const Tap& vertical, const Tap* taps, int64_t width, int64_t outWidth, int64_t channels, const T* x,
               int64_t xStride, T* y, int64_t yStride, float* row) {
  vectorised([=, &vertical]<typename L>(L) JCS_INLINE_LAMBDA {
    mixRows<L>(row, x + vertical.low * width * xStride, vertical.lowWeight, x + vertical.high * width * xStride,
               vertical.highWeight, width, channels, xStride);
    for (int64_t q = 0; q < outWidth; ++q) {
      const float a = taps[q].lowWeight, b = taps[q].highWeight;
      const float* low = row + taps[q].low * channels;
      const float* high = row + taps[q].high * channels;
      T* to = y + q * yStride;
      forEachBlock<L>(channels, [&]<typename N>(As<N>, int64_t c)
                                    JCS_INLINE_LAMBDA { store(to + c, a * load<N>(low + c) + b * load<N>(high + c)); });
    }
  });
}

/// One row of dx: gathers the rows of dy that read it into `row`, then the pixels of that.
template <typename T>
void resizeGradientRow(const Contribution* vertical, int64_t verticals, const Transposed& horizontal, int64_t width,
                       int64_t dyWidth, int64_t channels, const T* dy, int64_t dyStride, T* dx, int64_t dxStride,
                       float* row) {
  vectorised([=, &horizontal]<typename L>(L) JCS_INLINE_LAMBDA {
    std::fill_n(row, dyWidth * channels, 0.0f);
    for (int64_t v = 0; v < verticals; ++v)
      addRow<L>(row, dy + vertical[v].from * dyWidth * dyStride, vertical[v].weight, dyWidth, channels, dyStride);
    for (int64_t w = 0; w < width; ++w) {
      const Contribution* begin = horizontal.entries.data() + horizontal.begin[static_cast<size_t>(w)];
      const Contribution* end = horizontal.entries.data() + horizontal.begin[static_cast<size_t>(w) + 1];
      forEachBlock<L>(channels, [&]<typename N>(As<N>, int64_t c) JCS_INLINE_LAMBDA {
        N sum{};
        for (const Contribution* entry = begin; entry != end; ++entry)
          sum += entry->weight * load<N>(row + entry->from * channels + c);
        store(dx + w * dxStride + c, sum);
      });
    }
  });
}

/// Rows of the result are independent; each thread has a float row of the other operand's width.
class ResizeKernel : public Kernel {
 public:
  ResizeKernel(const Prepare& p, bool alignCorners, bool gradient)
      : pool_(p.device.pool()), threads_(p.options.threads), in_(p.inputs[0]), out_(p.outputs[0]), gradient_(gradient) {
    const Shape &from = in_.type.shape, &to = out_.type.shape;
    if (gradient) {
      vertical_ = transpose(tapsOf(to[1], from[1], alignCorners), to[1]);
      horizontal_ = transpose(tapsOf(to[2], from[2], alignCorners), to[2]);
    } else {
      verticalTaps_ = tapsOf(from[1], to[1], alignCorners);
      horizontalTaps_ = tapsOf(from[2], to[2], alignCorners);
    }
  }

  int64_t scratchBytes() const override { return threads_ * rowFloats() * 4; }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const Shape &from = in_.type.shape, &to = out_.type.shape;
    const int64_t width = from[2], outWidth = to[2], channels = to[3];
    const int64_t grain = 1 + 8192 / std::max<int64_t>(1, outWidth * channels);
    withElement(in_.type.dtype, [&]<typename T>(T*) {
      pool_.parallelFor(threads_, to[0] * to[1], grain, [&](int64_t begin, int64_t end, int thread) {
        float* row = reinterpret_cast<float*>(scratch) + thread * rowFloats();
        for (int64_t i = begin; i < end; ++i) {
          const auto r = static_cast<size_t>(i % to[1]);
          const T* x = reinterpret_cast<const T*>(in[0]) + i / to[1] * from[1] * width * in_.rowStride;
          T* y = reinterpret_cast<T*>(out[0]) + i * outWidth * out_.rowStride;
          if (gradient_) {
            resizeGradientRow(vertical_.entries.data() + vertical_.begin[r],
                              vertical_.begin[r + 1] - vertical_.begin[r], horizontal_, outWidth, width, channels, x,
                              in_.rowStride, y, out_.rowStride, row);
          } else {
            resizeRow(verticalTaps_[r], horizontalTaps_.data(), width, outWidth, channels, x, in_.rowStride, y,
                      out_.rowStride, row);
          }
        }
      });
    });
  }

 private:
  int64_t rowFloats() const { return (in_.type.shape[2] * in_.type.shape[3] + 15) / 16 * 16; }

  ThreadPool& pool_;
  int threads_;
  Operand in_, out_;
  bool gradient_;
  std::vector<Tap> verticalTaps_, horizontalTaps_;
  Transposed vertical_, horizontal_;
};

bool anyOperand(const Op&, bool, int) { return true; }

}  // namespace

void registerResize(Registry& registry) {
  registry.add<Resize>(
      [](const Prepare& p) { return std::make_unique<ResizeKernel>(p, p.as<Resize>().alignCorners, false); },
      anyOperand);
  registry.add<ResizeGradient>(
      [](const Prepare& p) { return std::make_unique<ResizeKernel>(p, p.as<ResizeGradient>().alignCorners, true); },
      anyOperand);
}

}  // namespace jcs::cpu
