#pragma once

#include "backend/cuda/kernels/launcher.h"

namespace jcs::cuda {

// Updates are usually in place: results lie where the old values do. See ops/optimizer.h.

struct SgdUpdateArguments {
  float momentum, weightDecay;
  bool nesterov;
  const float *w, *gradient, *velocity, *learningRate;
  float *newW, *newVelocity;
};
void sgdUpdate(const Launcher& launcher, int64_t elements, const SgdUpdateArguments& a);

struct AdamUpdateArguments {
  float beta1, beta2, epsilon, weightDecay;
  const float *w, *gradient, *first, *second, *hyper;
  float *newW, *newFirst, *newSecond;
};
void adamUpdate(const Launcher& launcher, int64_t elements, const AdamUpdateArguments& a);

}  // namespace jcs::cuda
