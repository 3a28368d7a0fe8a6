#include "ops/optimizer.h"

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

// Updates are usually in place: results lie where the old values do, element by element.

JCS_VECTORISED void sgd(int64_t begin, int64_t end, const float* w, const float* g, const float* v, float* newW,
                        float* newV, float learningRate, float momentum, float weightDecay, bool nesterov) {
#pragma GCC ivdep
  for (int64_t i = begin; i < end; ++i) {
    const float gradient = g[i] + weightDecay * w[i];
    const float velocity = momentum * v[i] + gradient;
    newV[i] = velocity;
    newW[i] = w[i] - learningRate * (nesterov ? gradient + momentum * velocity : velocity);
  }
}

JCS_VECTORISED void adam(int64_t begin, int64_t end, const float* w, const float* g, const float* m, const float* v,
                         float* newW, float* newM, float* newV, const float* hyper, float beta1, float beta2,
                         float epsilon, float weightDecay, bool decoupled) {
  const float l2 = decoupled ? 0 : weightDecay, shrink = decoupled ? hyper[0] * weightDecay : 0;
  const float step = hyper[0] / hyper[1], correction = 1.0f / std::sqrt(hyper[2]);
#pragma GCC ivdep
  for (int64_t i = begin; i < end; ++i) {
    const float gradient = g[i] + l2 * w[i];
    const float first = beta1 * m[i] + (1.0f - beta1) * gradient;
    const float second = beta2 * v[i] + (1.0f - beta2) * gradient * gradient;
    newM[i] = first;
    newV[i] = second;
    newW[i] = w[i] - shrink * w[i] - step * first / (std::sqrt(second) * correction + epsilon);
  }
}

/// Runs a loop over all elements of input 0; every operand of its size is float32.
class UpdateKernel : public Kernel {
 public:
  using Body =
      std::function<void(int64_t begin, int64_t end, std::span<const float* const> in, std::span<float* const> out)>;
  UpdateKernel(const Prepare& p, Body body)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        elements_(p.inputs[0].type.elements()),
        body_(std::move(body)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const float* inputs[5];
    float* outputs[3];
    for (size_t i = 0; i < in.size(); ++i) inputs[i] = reinterpret_cast<const float*>(in[i]);
    for (size_t i = 0; i < out.size(); ++i) outputs[i] = reinterpret_cast<float*>(out[i]);
    pool_.parallelFor(threads_, elements_, 16384,
                      [&](int64_t begin, int64_t end, int) { body_(begin, end, inputs, outputs); });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  int64_t elements_;
  Body body_;
};

std::unique_ptr<Kernel> prepareSgd(const Prepare& p) {
  const auto& op = p.as<SgdUpdate>();
  return std::make_unique<UpdateKernel>(
      p, [momentum = op.momentum, decay = op.weightDecay, nesterov = op.nesterov](
             int64_t begin, int64_t end, std::span<const float* const> in, std::span<float* const> out) {
        sgd(begin, end, in[0], in[1], in[2], out[0], out[1], *in[3], momentum, decay, nesterov);
      });
}

std::unique_ptr<Kernel> prepareAdam(const Prepare& p) {
  const auto& op = p.as<AdamUpdate>();
  return std::make_unique<UpdateKernel>(
      p, [beta1 = op.beta1, beta2 = op.beta2, epsilon = op.epsilon, decay = op.weightDecay, decoupled = op.decoupled](
             int64_t begin, int64_t end, std::span<const float* const> in, std::span<float* const> out) {
        adam(begin, end, in[0], in[1], in[2], in[3], out[0], out[1], out[2], in[4], beta1, beta2, epsilon, decay,
             decoupled);
      });
}

}  // namespace

void registerOptimizer(Registry& registry) {
  registry.add<SgdUpdate>(prepareSgd);
  registry.add<AdamUpdate>(prepareAdam);
}

}  // namespace jcs::cpu
