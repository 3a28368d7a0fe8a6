#pragma once

#include <napi.h>

namespace jcs::binding {

/// `measureCase` (contract in ts/native.ts).
void defineMeasurement(Napi::Env env, Napi::Object exports);

}  // namespace jcs::binding
