#pragma once

#include <napi.h>

namespace jcs::binding {

/// segmentationMetrics, classificationMetrics and explanationMetrics (contract in ts/native.ts).
void defineMetrics(Napi::Env env, Napi::Object exports);

}  // namespace jcs::binding
