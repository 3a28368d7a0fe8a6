#pragma once

#include <napi.h>

namespace jcs::binding {

/// decideCase, requireDecidable, calibrate, quantize, evaluateClassifier and evaluateSegmenter (contract in
/// ts/native.ts).
void defineDiagnosis(Napi::Env env, Napi::Object exports);

}  // namespace jcs::binding
