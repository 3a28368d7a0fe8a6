#pragma once

#include <napi.h>

#include <string>

#include "core/tensor.h"

namespace jcs {

/// JavaScript values to plain ones. TypeScript has already checked and explained; these re-check, so that no call can
/// make native code misbehave. INVALID_TYPE names `what`.
std::string toString(const Napi::Value& value, const char* what);
double toNumber(const Napi::Value& value, const char* what);
bool toBoolean(const Napi::Value& value, const char* what);
Napi::Object toObject(const Napi::Value& value, const char* what);
/// { data: Float32Array, shape: number[] }, N×C×H×W or any shape, copied.
Tensor toTensor(const Napi::Value& value, const char* what);

/// The tensor as it is, data copied: { data, shape }.
Napi::Object fromTensor(Napi::Env env, const Tensor& tensor);
/// A Float32Array that holds a copy.
Napi::Float32Array fromFloats(Napi::Env env, std::span<const float> values);
Napi::Uint8Array fromBytes(Napi::Env env, std::span<const uint8_t> values);

}  // namespace jcs
