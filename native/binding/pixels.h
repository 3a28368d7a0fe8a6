#pragma once

#include <napi.h>

#include <vector>

#include "diagnosis/inference.h"

namespace jcs {

/// { data: Uint8Array | Uint16Array | Float32Array | Int16Array, width, height, channels: 1 | 3, spacing?: [row,
/// column], window: { center, width } of signed data }, copied and checked.
Slice toSlice(const Napi::Value& value);
std::vector<Slice> toSlices(const Napi::Value& value);

}  // namespace jcs
