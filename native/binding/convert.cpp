#include "binding/convert.h"

#include <cmath>
#include <cstring>

namespace jcs {

namespace {

[[noreturn]] void wrongType(const char* what, const char* expected) {
  fail(errors::kInvalidType, std::string(what) + " must be " + expected);
}

}  // namespace

std::string toString(const Napi::Value& value, const char* what) {
  if (!value.IsString()) wrongType(what, "a string");
  return value.As<Napi::String>().Utf8Value();
}

double toNumber(const Napi::Value& value, const char* what) {
  if (!value.IsNumber()) wrongType(what, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

bool toBoolean(const Napi::Value& value, const char* what) {
  if (!value.IsBoolean()) wrongType(what, "true or false");
  return value.As<Napi::Boolean>().Value();
}

Napi::Object toObject(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) wrongType(what, "an object");
  return value.As<Napi::Object>();
}

Tensor toTensor(const Napi::Value& value, const char* what) {
  const Napi::Object object = toObject(value, what);
  const Napi::Value data = object.Get("data"), shape = object.Get("shape");
  if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
    wrongType(what, "a tensor whose data is a Float32Array");
  if (!shape.IsArray()) wrongType(what, "a tensor whose shape is an array of numbers");
  const auto extents = shape.As<Napi::Array>();
  if (extents.Length() > static_cast<uint32_t>(Shape::kMaxRank)) wrongType(what, "a tensor of at most 4 dimensions");
  std::vector<int64_t> sizes;
  for (uint32_t i = 0; i < extents.Length(); ++i) {
    const double extent = toNumber(extents.Get(i), what);
    if (!(extent >= 0) || extent != std::floor(extent) || extent > 0x1p40)
      wrongType(what, "a tensor whose shape holds whole, non-negative numbers");
    sizes.push_back(static_cast<int64_t>(extent));
  }
  const auto floats = data.As<Napi::Float32Array>();
  const Shape whole{std::span<const int64_t>(sizes)};
  require(static_cast<uint64_t>(whole.elements()) == floats.ElementLength(), errors::kShapeMismatch, [&] {
    return std::string(what) + ": shape " + whole.toString() + " needs " + std::to_string(whole.elements()) +
           " values, data has " + std::to_string(floats.ElementLength());
  });
  return Tensor::fromFloats(whole, {floats.Data(), floats.ElementLength()});
}

Napi::Float32Array fromFloats(Napi::Env env, std::span<const float> values) {
  auto array = Napi::Float32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size_bytes());
  return array;
}

Napi::Uint8Array fromBytes(Napi::Env env, std::span<const uint8_t> values) {
  auto array = Napi::Uint8Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size());
  return array;
}

Napi::Object fromTensor(Napi::Env env, const Tensor& tensor) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("data", fromFloats(env, tensor.as<float>()));
  const Napi::Array shape = Napi::Array::New(env, static_cast<size_t>(tensor.shape().rank()));
  for (int axis = 0; axis < tensor.shape().rank(); ++axis)
    shape.Set(static_cast<uint32_t>(axis), static_cast<double>(tensor.shape()[axis]));
  object.Set("shape", shape);
  return object;
}

}  // namespace jcs
