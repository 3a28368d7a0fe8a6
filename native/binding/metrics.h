#pragma once

#include <napi.h>

namespace jcs::binding {

/// segmentationMetrics(probabilities, truth) and classificationMetrics(probabilities, labels, threshold).
void defineMetrics(Napi::Env env, Napi::Object exports);

}  // namespace jcs::binding
