#include "backend/cuda/kernels/optimizer.h"

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

namespace {

template <int V>
__global__ void sgdKernel(int64_t groups, SgdUpdateArguments a) {
  const float learningRate = *a.learningRate;
  for (int64_t i = globalThread(); i < groups; i += globalThreads()) {
    Lanes<V> w = load<V>(a.w + i * V), velocity = load<V>(a.velocity + i * V);
    const Lanes<V> gradient = load<V>(a.gradient + i * V);
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float g = gradient.at[v] + a.weightDecay * w.at[v];
      velocity.at[v] = a.momentum * velocity.at[v] + g;
      w.at[v] -= learningRate * (a.nesterov ? g + a.momentum * velocity.at[v] : velocity.at[v]);
    }
    store(a.newVelocity + i * V, velocity);
    store(a.newW + i * V, w);
  }
}

template <int V>
__global__ void adamKernel(int64_t groups, AdamUpdateArguments a) {
  const float step = a.hyper[0] / a.hyper[1], correction = 1.0f / sqrtf(a.hyper[2]);
  for (int64_t i = globalThread(); i < groups; i += globalThreads()) {
    Lanes<V> w = load<V>(a.w + i * V), first = load<V>(a.first + i * V), second = load<V>(a.second + i * V);
    const Lanes<V> gradient = load<V>(a.gradient + i * V);
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float g = gradient.at[v] + a.weightDecay * w.at[v];
      first.at[v] = a.beta1 * first.at[v] + (1.0f - a.beta1) * g;
      second.at[v] = a.beta2 * second.at[v] + (1.0f - a.beta2) * g * g;
      w.at[v] -= step * first.at[v] / (sqrtf(second.at[v]) * correction + a.epsilon);
    }
    store(a.newFirst + i * V, first);
    store(a.newSecond + i * V, second);
    store(a.newW + i * V, w);
  }
}

}  // namespace

void sgdUpdate(const Launcher& launcher, int64_t elements, const SgdUpdateArguments& a) {
  const int width =
      laneCount(elements, {{a.w, 0, 4}, {a.gradient, 0, 4}, {a.velocity, 0, 4}, {a.newW, 0, 4}, {a.newVelocity, 0, 4}});
  withLanes(width, [&](auto lanes) {
    launch(sgdKernel<decltype(lanes)::value>, launcher.blocksFor(elements / width), kBlock, 0, launcher,
           elements / width, a);
  });
}

void adamUpdate(const Launcher& launcher, int64_t elements, const AdamUpdateArguments& a) {
  const int width = laneCount(elements, {{a.w, 0, 4},
                                         {a.gradient, 0, 4},
                                         {a.first, 0, 4},
                                         {a.second, 0, 4},
                                         {a.newW, 0, 4},
                                         {a.newFirst, 0, 4},
                                         {a.newSecond, 0, 4}});
  withLanes(width, [&](auto lanes) {
    launch(adamKernel<decltype(lanes)::value>, launcher.blocksFor(elements / width), kBlock, 0, launcher,
           elements / width, a);
  });
}

}  // namespace jcs::cuda
