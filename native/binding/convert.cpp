#include "binding/convert.h"

#include <cmath>
#include <cstring>

namespace jcs::binding {

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

int64_t toWhole(const Napi::Value& value, const char* what, int64_t low, int64_t high) {
  const double number = toNumber(value, what);
  require(number >= static_cast<double>(low) && number <= static_cast<double>(high) && number == std::floor(number),
          errors::kInvalidArgument, [&] {
            return std::string(what) + " must be a whole number between " + std::to_string(low) + " and " +
                   std::to_string(high);
          });
  return static_cast<int64_t>(number);
}

Napi::Object toObject(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) wrongType(what, "an object");
  return value.As<Napi::Object>();
}

std::span<const float> toFloats(const Napi::Value& value, const char* what) {
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array,
          errors::kInvalidType, [&] { return std::string(what) + " must be a Float32Array"; });
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.ElementLength()};
}

std::span<const uint8_t> toBytes(const Napi::Value& value, const char* what) {
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array,
          errors::kInvalidType, [&] { return std::string(what) + " must be a Uint8Array"; });
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ElementLength()};
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

Napi::Value fromMetrics(Napi::Env env, const metrics::Metrics& metrics) {
  const auto object = Napi::Object::New(env);
  for (const auto& [name, value] : metrics) object.Set(name, value);
  return object;
}

Napi::Array fromStrings(Napi::Env env, const std::vector<std::string>& texts) {
  const auto array = Napi::Array::New(env);
  for (const std::string& text : texts) array.Set(array.Length(), text);
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

}  // namespace jcs::binding
