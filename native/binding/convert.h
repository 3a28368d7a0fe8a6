#pragma once

#include <napi.h>

#include <string>

#include "core/tensor.h"
#include "metrics/metrics.h"

namespace jcs::binding {

/// JavaScript values to plain ones. TypeScript has already checked and explained; these re-check, so that no call can
/// make native code misbehave. INVALID_TYPE names `what`.
std::string toString(const Napi::Value& value, const char* what);
double toNumber(const Napi::Value& value, const char* what);
bool toBoolean(const Napi::Value& value, const char* what);
/// A whole number in [low, high], of at most 2^53. INVALID_ARGUMENT.
int64_t toWhole(const Napi::Value& value, const char* what, int64_t low, int64_t high = int64_t{1} << 53);
/// Images per run of a network.
inline int64_t toBatchSize(const Napi::Value& value) { return toWhole(value, "batchSize", 1, 4096); }
Napi::Object toObject(const Napi::Value& value, const char* what);
/// The memory of a Float32Array or a Uint8Array, valid while nothing of JavaScript runs.
std::span<const float> toFloats(const Napi::Value& value, const char* what);
std::span<const uint8_t> toBytes(const Napi::Value& value, const char* what);
/// { data: Float32Array, shape: number[] }, N×C×H×W or any shape, copied.
Tensor toTensor(const Napi::Value& value, const char* what);

/// The tensor as it is, data copied: { data, shape }.
Napi::Object fromTensor(Napi::Env env, const Tensor& tensor);
/// A Float32Array that holds a copy.
Napi::Float32Array fromFloats(Napi::Env env, std::span<const float> values);
Napi::Value fromMetrics(Napi::Env env, const metrics::Metrics& metrics);
Napi::Array fromStrings(Napi::Env env, const std::vector<std::string>& texts);
Napi::Uint8Array fromBytes(Napi::Env env, std::span<const uint8_t> values);

}  // namespace jcs::binding
