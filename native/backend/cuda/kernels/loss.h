#pragma once

#include "backend/cuda/kernels/launcher.h"

namespace jcs::cuda {

// Losses are float32 and dense whatever the program's precision; see ops/loss.h.

void softmaxRows(const Launcher& launcher, int64_t rows, int64_t classes, const float* logits, float* p);
void softmaxCrossEntropy(const Launcher& launcher, int64_t rows, int64_t classes, const float* logits,
                         const float* targets, float* loss);
void minMaxNormalize(const Launcher& launcher, int64_t samples, int64_t pixels, const float* x, float* y);
void minMaxNormalizeGradient(const Launcher& launcher, int64_t samples, int64_t pixels, const float* dy, const float* x,
                             float* dx);

}  // namespace jcs::cuda
