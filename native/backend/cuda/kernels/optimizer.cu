#include "backend/cuda/kernels/optimizer.h"

#include <vector>

#include "backend/cuda/kernels/update_group.cuh"

namespace jcs::cuda {

namespace {

/// Arrays: w', v', w, gradient, v, learning rate.
struct SgdStep : SgdAttributes {
  template <int V>
  __device__ void apply(float* const (&arrays)[6], int64_t i, bool) const {
    const float learningRate = *arrays[5];
    Lanes<V> w = load<V>(arrays[2] + i), velocity = load<V>(arrays[4] + i);
    const Lanes<V> gradient = load<V>(arrays[3] + i);
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float g = gradient.at[v] + weightDecay * w.at[v];
      velocity.at[v] = momentum * velocity.at[v] + g;
      w.at[v] -= learningRate * (nesterov ? g + momentum * velocity.at[v] : velocity.at[v]);
    }
    store(arrays[1] + i, velocity);
    store(arrays[0] + i, w);
  }
};

/// Arrays: w', m', v', w, gradient, m, v, hyper.
struct AdamStep : AdamAttributes {
  template <int V>
  __device__ void apply(float* const (&arrays)[8], int64_t i, bool) const {
    const float* hyper = arrays[7];
    const float l2 = decoupled ? 0.0f : weightDecay, shrink = decoupled ? hyper[0] * weightDecay : 0.0f;
    const float step = hyper[0] / hyper[1], correction = 1.0f / sqrtf(hyper[2]);
    Lanes<V> w = load<V>(arrays[3] + i), first = load<V>(arrays[5] + i), second = load<V>(arrays[6] + i);
    const Lanes<V> gradient = load<V>(arrays[4] + i);
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float g = gradient.at[v] + l2 * w.at[v];
      first.at[v] = beta1 * first.at[v] + (1.0f - beta1) * g;
      second.at[v] = beta2 * second.at[v] + (1.0f - beta2) * g * g;
      w.at[v] -= shrink * w.at[v] + step * first.at[v] / (sqrtf(second.at[v]) * correction + epsilon);
    }
    store(arrays[1] + i, first);
    store(arrays[2] + i, second);
    store(arrays[0] + i, w);
  }
};

/// Tables hold what is read and what is written alike.
float* arrayOf(const float* data) { return const_cast<float*>(data); }

}  // namespace

void sgdUpdate(const Launcher& launcher, const SgdAttributes& attributes, std::span<const SgdArrays> parameters) {
  std::vector<UpdateMember<6>> members;
  for (const SgdArrays& p : parameters)
    members.push_back(
        {{p.newW, p.newVelocity, arrayOf(p.w), arrayOf(p.gradient), arrayOf(p.velocity), arrayOf(p.learningRate)},
         p.elements,
         true});
  launchUpdates<6>(launcher, members, SgdStep{attributes});
}

void adamUpdate(const Launcher& launcher, const AdamAttributes& attributes, std::span<const AdamArrays> parameters) {
  std::vector<UpdateMember<8>> members;
  for (const AdamArrays& p : parameters)
    members.push_back({{p.newW, p.newFirst, p.newSecond, arrayOf(p.w), arrayOf(p.gradient), arrayOf(p.first),
                        arrayOf(p.second), arrayOf(p.hyper)},
                       p.elements,
                       true});
  launchUpdates<8>(launcher, members, AdamStep{attributes});
}

}  // namespace jcs::cuda
