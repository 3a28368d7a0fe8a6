#pragma once

#include <span>

#include "backend/cuda/kernels/launcher.h"

namespace jcs::cuda {

// Updates of any number of parameters at once, usually in place: results lie where the old values do. See
// ops/optimizer.h.

struct SgdAttributes {
  float momentum, weightDecay;
  bool nesterov;
};
struct SgdArrays {
  int64_t elements;
  const float *w, *gradient, *velocity, *learningRate;
  float *newW, *newVelocity;
};
void sgdUpdate(const Launcher& launcher, const SgdAttributes& attributes, std::span<const SgdArrays> parameters);

struct AdamAttributes {
  float beta1, beta2, epsilon, weightDecay;
  bool decoupled;
};
struct AdamArrays {
  int64_t elements;
  const float *w, *gradient, *first, *second, *hyper;
  float *newW, *newFirst, *newSecond;
};
void adamUpdate(const Launcher& launcher, const AdamAttributes& attributes, std::span<const AdamArrays> parameters);

}  // namespace jcs::cuda
