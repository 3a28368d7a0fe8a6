#include "ops/loss.h"

#include <algorithm>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

// Losses are float32 and dense whatever the program's precision.

/// ln(1 + u) for u in [0, 1]: 2·artanh(u / (2 + u)) by its series, whose argument is at most 1/3.
JCS_INLINE float log1pOf(float u) {
  const float s = u / (2.0f + u), square = s * s;
  float p = 1.0f / 15;
  p = p * square + 1.0f / 13;
  p = p * square + 1.0f / 11;
  p = p * square + 1.0f / 9;
  p = p * square + 1.0f / 7;
  p = p * square + 1.0f / 5;
  p = p * square + 1.0f / 3;
  p = p * square + 1.0f;
  return 2.0f * s * p;
}

JCS_VECTORISED void sigmoidCrossEntropy(int64_t begin, int64_t end, const float* z, const float* target, float* loss) {
  for (int64_t i = begin; i < end; ++i) {
    const float magnitude = std::fabs(z[i]);
    loss[i] = (z[i] < 0.0f ? 0.0f : z[i]) - z[i] * target[i] + log1pOf(expOf(-magnitude));
  }
}

struct Extremes {
  float low, high;
};

JCS_VECTORISED Extremes extremesOf(const float* x, int64_t count) {
  constexpr int64_t kLanes = 64;
  float low[kLanes], high[kLanes];
  std::fill_n(low, kLanes, std::numeric_limits<float>::infinity());
  std::fill_n(high, kLanes, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = x[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  for (; i < count; ++i) {
    low[0] = std::min(low[0], x[i]);
    high[0] = std::max(high[0], x[i]);
  }
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

JCS_VECTORISED void normalizeLine(const float* x, float* y, int64_t count, Extremes extremes) {
  const float range = extremes.high - extremes.low;
  const float scale = range > 0 ? 1.0f / range : 0.0f;
  for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - extremes.low) * scale;
}

/// y = (x − a) / (b − a): dx = dy / r, and what reaches a and b is shared among the elements that attain them.
void normalizeGradientLine(const float* dy, const float* x, float* dx, int64_t count) {
  const auto [low, high] = extremesOf(x, count);
  const double range = static_cast<double>(high) - low;
  if (!(range > 0)) return void(std::fill_n(dx, count, 0.0f));
  double toLow = 0, toHigh = 0;
  int64_t lows = 0, highs = 0;
  for (int64_t i = 0; i < count; ++i) {
    toLow += dy[i] * (static_cast<double>(x[i]) - high);
    toHigh -= dy[i] * (static_cast<double>(x[i]) - low);
    lows += x[i] == low;
    highs += x[i] == high;
  }
  toLow /= range * range * static_cast<double>(lows);
  toHigh /= range * range * static_cast<double>(highs);
  for (int64_t i = 0; i < count; ++i)
    dx[i] = static_cast<float>(dy[i] / range + (x[i] == low ? toLow : 0) + (x[i] == high ? toHigh : 0));
}

void softmaxLine(const float* logits, float* p, int64_t classes) {
  const float top = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits[k]) - top);
  for (int64_t k = 0; k < classes; ++k) p[k] = static_cast<float>(std::exp(static_cast<double>(logits[k]) - top) / sum);
}

void crossEntropyLine(const float* logits, const float* target, float* loss, int64_t classes) {
  const float top = *std::max_element(logits, logits + classes);
  double sum = 0, weighted = 0;
  for (int64_t k = 0; k < classes; ++k) {
    sum += std::exp(static_cast<double>(logits[k]) - top);
    weighted += static_cast<double>(target[k]) * (static_cast<double>(logits[k]) - top);
  }
  double mass = 0;
  for (int64_t k = 0; k < classes; ++k) mass += target[k];
  *loss = static_cast<float>(mass * std::log(sum) - weighted);
}

/// Calls `body(first, count, inputs, output)` for every sample of input 0.
class PerSample : public Kernel {
 public:
  using Body = std::function<void(int64_t sample, int64_t count, std::span<const float* const> in, float* out)>;
  PerSample(const Prepare& p, Body body)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        samples_(p.inputs[0].type.shape[0]),
        count_(p.inputs[0].type.elements() / std::max<int64_t>(1, samples_)),
        body_(std::move(body)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const float* inputs[2] = {};
    for (size_t i = 0; i < in.size(); ++i) inputs[i] = reinterpret_cast<const float*>(in[i]);
    float* output = reinterpret_cast<float*>(out[0]);
    pool_.parallelFor(threads_, samples_, 1 + 4096 / std::max<int64_t>(1, count_),
                      [&](int64_t begin, int64_t end, int) {
                        for (int64_t i = begin; i < end; ++i) body_(i, count_, inputs, output);
                      });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  int64_t samples_, count_;
  Body body_;
};

template <typename Body>
Registry::Factory perSample(Body body) {
  return [body](const Prepare& p) { return std::make_unique<PerSample>(p, body); };
}

class SigmoidCrossEntropyKernel : public Kernel {
 public:
  explicit SigmoidCrossEntropyKernel(const Prepare& p)
      : pool_(p.device.pool()), threads_(p.options.threads), elements_(p.inputs[0].type.elements()) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    pool_.parallelFor(threads_, elements_, 8192, [&](int64_t begin, int64_t end, int) {
      sigmoidCrossEntropy(begin, end, reinterpret_cast<const float*>(in[0]), reinterpret_cast<const float*>(in[1]),
                          reinterpret_cast<float*>(out[0]));
    });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  int64_t elements_;
};

using Inputs = std::span<const float* const>;

}  // namespace

void registerLoss(Registry& registry) {
  registry.add<Softmax>(perSample([](int64_t i, int64_t classes, Inputs in, float* out) {
    softmaxLine(in[0] + i * classes, out + i * classes, classes);
  }));
  registry.add<SoftmaxCrossEntropy>(perSample([](int64_t i, int64_t classes, Inputs in, float* out) {
    crossEntropyLine(in[0] + i * classes, in[1] + i * classes, out + i, classes);
  }));
  registry.add<SigmoidCrossEntropy>([](const Prepare& p) { return std::make_unique<SigmoidCrossEntropyKernel>(p); });
  registry.add<MinMaxNormalize>(perSample([](int64_t i, int64_t count, Inputs in, float* out) {
    const float* x = in[0] + i * count;
    normalizeLine(x, out + i * count, count, extremesOf(x, count));
  }));
  registry.add<MinMaxNormalizeGradient>(perSample([](int64_t i, int64_t count, Inputs in, float* out) {
    normalizeGradientLine(in[0] + i * count, in[1] + i * count, out + i * count, count);
  }));
}

}  // namespace jcs::cpu
