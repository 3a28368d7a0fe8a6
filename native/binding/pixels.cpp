#include "binding/pixels.h"

#include <cmath>
#include <cstring>

#include "binding/convert.h"

namespace jcs {

namespace {

PixelFormat formatOf(const Napi::TypedArray& data) {
  switch (data.TypedArrayType()) {
    case napi_uint8_array:
    case napi_uint8_clamped_array: return PixelFormat::kU8;
    case napi_uint16_array: return PixelFormat::kU16;
    case napi_int16_array: return PixelFormat::kI16;
    case napi_float32_array: return PixelFormat::kF32;
    default: fail(errors::kInvalidType, "pixels must be a Uint8Array, a Uint16Array, an Int16Array or a Float32Array");
  }
}

int64_t extent(const Napi::Object& object, const char* name) {
  const double value = toNumber(object.Get(name), name);
  require(value >= 1 && value <= 1e6 && value == std::floor(value), errors::kInvalidArgument,
          [&] { return std::string(name) + " must be a whole number between 1 and 1000000"; });
  return static_cast<int64_t>(value);
}

IntensityWindow toWindow(const Napi::Value& value) {
  const Napi::Object window = toObject(value, "the window of signed pixels");
  const double center = toNumber(window.Get("center"), "window.center");
  const double width = toNumber(window.Get("width"), "window.width");
  return {static_cast<float>(center - width / 2), static_cast<float>(width)};
}

}  // namespace

Slice toSlice(const Napi::Value& value) {
  const Napi::Object object = toObject(value, "an image");
  const Napi::Value data = object.Get("data");
  require(data.IsTypedArray(), errors::kInvalidType, "an image's data must be a typed array");
  const auto array = data.As<Napi::TypedArray>();
  Slice slice;
  Pixels& pixels = slice.pixels;
  pixels.format = formatOf(array);
  pixels.width = extent(object, "width");
  pixels.height = extent(object, "height");
  pixels.channels = extent(object, "channels");
  if (pixels.format == PixelFormat::kI16) pixels.window = toWindow(object.Get("window"));
  const auto* bytes = static_cast<const std::byte*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  pixels.data.assign(bytes, bytes + array.ByteLength());
  validate(pixels);
  const Napi::Value spacing = object.Get("spacing");
  if (spacing.IsArray()) {
    const auto pair = spacing.As<Napi::Array>();
    const double row = toNumber(pair.Get(0u), "spacing"), column = toNumber(pair.Get(1u), "spacing");
    require(row > 0 && column > 0 && std::isfinite(row) && std::isfinite(column), errors::kInvalidArgument,
            "spacing must be two positive numbers of millimetres, row then column");
    slice.spacingMm = {row, column};
  }
  return slice;
}

std::vector<Slice> toSlices(const Napi::Value& value) {
  require(value.IsArray(), errors::kInvalidType, "images must be an array");
  const auto array = value.As<Napi::Array>();
  std::vector<Slice> slices;
  for (uint32_t i = 0; i < array.Length(); ++i) slices.push_back(toSlice(array.Get(i)));
  return slices;
}

}  // namespace jcs
