#include "binding/slice_store_object.h"

#include <array>
#include <cmath>
#include <cstring>

#include "binding/convert.h"

namespace jcs::binding {

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

std::span<const std::byte> bytesOf(const Napi::TypedArray& array) {
  return {static_cast<const std::byte*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}

/// The numbers of an array of `N`; absent for undefined.
template <size_t N>
std::optional<std::array<double, N>> toNumbers(const Napi::Value& value, const char* what) {
  if (value.IsUndefined()) return std::nullopt;
  require(value.IsArray() && value.As<Napi::Array>().Length() == N, errors::kInvalidType,
          [&] { return std::string(what) + " must be an array of " + std::to_string(N) + " numbers"; });
  std::array<double, N> numbers;
  for (uint32_t i = 0; i < N; ++i) {
    numbers[i] = toNumber(value.As<Napi::Array>().Get(i), what);
    require(std::isfinite(numbers[i]), errors::kInvalidArgument, [&] { return std::string(what) + " must be finite"; });
  }
  return numbers;
}

int toLabel(const Napi::Value& value) {
  if (value.IsUndefined()) return -1;
  return static_cast<int>(toWhole(value, "a label, 0 (uninfected) or 1 (infected),", 0, 1));
}

std::string toText(const Napi::Value& value, const char* what) {
  return value.IsUndefined() ? std::string() : toString(value, what);
}

data::SliceInfo toInfo(const Napi::Object& object, PixelFormat format) {
  data::SliceInfo info;
  info.format = format;
  info.width = toWhole(object.Get("width"), "width", 1, 1000000);
  info.height = toWhole(object.Get("height"), "height", 1, 1000000);
  info.channels = toWhole(object.Get("channels"), "channels", 1, 3);
  if (const Napi::Value given = object.Get("window"); !given.IsUndefined()) {
    const Napi::Object window = toObject(given, "window");
    info.window = {toNumber(window.Get("center"), "window.center"), toNumber(window.Get("width"), "window.width")};
  }
  info.source = toText(object.Get("source"), "source");
  if (const auto mm = toNumbers<2>(object.Get("spacing"), "spacing"))
    info.spacing = data::PixelSpacing{(*mm)[0], (*mm)[1]};
  info.positionMm = toNumbers<3>(object.Get("positionMm"), "positionMm");
  info.orientation = toNumbers<6>(object.Get("orientation"), "orientation");
  info.instanceUid = toText(object.Get("instanceUid"), "instanceUid");
  info.seriesUid = toText(object.Get("seriesUid"), "seriesUid");
  info.label = toLabel(object.Get("label"));
  info.patient = toText(object.Get("patient"), "patient");
  return info;
}

/// Of lesions or lungs.
std::span<const uint8_t> toMask(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const auto mask = toBytes(value, "a mask");
  require(!mask.empty(), errors::kShapeMismatch, "a mask must have one value per pixel of its image");
  return mask;
}

template <typename Array>
Napi::Value typedArray(Napi::Env env, const std::vector<std::byte>& bytes, size_t valueBytes) {
  auto array = Array::New(env, bytes.size() / valueBytes);
  std::memcpy(array.Data(), bytes.data(), bytes.size());
  return array;
}

Napi::Array fromNumbers(Napi::Env env, std::span<const double> numbers) {
  const auto array = Napi::Array::New(env);
  for (const double number : numbers) array.Set(array.Length(), number);
  return array;
}

Napi::Value fromPixels(Napi::Env env, const data::SliceInfo& info, const std::vector<std::byte>& pixels) {
  const auto object = Napi::Object::New(env);
  switch (info.format) {
    case PixelFormat::kU8: object.Set("data", typedArray<Napi::Uint8Array>(env, pixels, 1)); break;
    case PixelFormat::kU16: object.Set("data", typedArray<Napi::Uint16Array>(env, pixels, 2)); break;
    case PixelFormat::kI16: object.Set("data", typedArray<Napi::Int16Array>(env, pixels, 2)); break;
    case PixelFormat::kF32: object.Set("data", typedArray<Napi::Float32Array>(env, pixels, 4)); break;
  }
  object.Set("width", static_cast<double>(info.width));
  object.Set("height", static_cast<double>(info.height));
  object.Set("channels", static_cast<double>(info.channels));
  if (info.window) {
    const auto window = Napi::Object::New(env);
    window.Set("center", info.window->center);
    window.Set("width", info.window->width);
    object.Set("window", window);
  }
  if (info.spacing) object.Set("spacing", fromNumbers(env, std::array{info.spacing->row, info.spacing->column}));
  if (info.positionMm) object.Set("positionMm", fromNumbers(env, *info.positionMm));
  if (info.orientation) object.Set("orientation", fromNumbers(env, *info.orientation));
  if (!info.instanceUid.empty()) object.Set("instanceUid", info.instanceUid);
  if (!info.seriesUid.empty()) object.Set("seriesUid", info.seriesUid);
  if (!info.source.empty()) object.Set("source", info.source);
  return object;
}

/// With more than this in a store, what was copied into it is freed at once. V8 does not hurry to collect memory
/// outside of its heap, so a case's worth of decoded slices would pile up beside the store; but it collects on a thread
/// of its own, so a lone slice is better left to it: freeing one here is 5 % of a call of a tiny network.
constexpr int64_t kWorthFreeing = int64_t{16} << 20;

/// Frees an array that was copied. What is part of something larger stays.
void freeArray(const Napi::Value& value) {
  if (!value.IsTypedArray()) return;
  const auto array = value.As<Napi::TypedArray>();
  Napi::ArrayBuffer buffer = array.ArrayBuffer();
  if (array.ByteLength() == buffer.ByteLength()) napi_detach_arraybuffer(value.Env(), buffer);
}

size_t toIndex(const Napi::Value& value) { return static_cast<size_t>(toWhole(value, "the index of a slice", 0)); }

}  // namespace

void SliceStoreObject::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(
      env, "NativeSliceStore",
      {InstanceMethod("append", &SliceStoreObject::append), InstanceMethod("spill", &SliceStoreObject::spill),
       InstanceMethod("read", &SliceStoreObject::read), InstanceMethod("release", &SliceStoreObject::release),
       InstanceAccessor("isOverLimit", &SliceStoreObject::isOverLimit, nullptr),
       InstanceAccessor("size", &SliceStoreObject::size, nullptr)});
  AddonData::of(env).sliceStoreConstructor = Napi::Persistent(constructor);
  exports.Set("NativeSliceStore", constructor);
}

SliceStoreObject::SliceStoreObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    store_ = std::make_shared<data::SliceStore>(info[0].IsUndefined() ? data::SliceStore::kDefaultMemoryLimit
                                                                      : toWhole(info[0], "memoryLimitBytes", 0));
  });
}

SliceStoreObject::~SliceStoreObject() { Napi::MemoryManagement::AdjustExternalMemory(Env(), -reportedBytes_); }

std::shared_ptr<data::SliceStore> SliceStoreObject::unwrap(const Napi::Value& value) {
  const bool known =
      value.IsObject() && value.As<Napi::Object>().InstanceOf(AddonData::of(value.Env()).sliceStoreConstructor.Value());
  require(known, errors::kInvalidType, "expected a NativeSliceStore");
  return SliceStoreObject::Unwrap(value.As<Napi::Object>())->store_;
}

void SliceStoreObject::reportMemory() {
  const int64_t now = store_->memoryBytes();
  Napi::MemoryManagement::AdjustExternalMemory(Env(), now - reportedBytes_);
  reportedBytes_ = now;
}

Napi::Value SliceStoreObject::append(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object object = toObject(info[0], "a slice");
    const Napi::Value data = object.Get("data");
    require(data.IsTypedArray(), errors::kInvalidType, "a slice's data must be a typed array");
    const auto array = data.As<Napi::TypedArray>();
    // Everything is asked of JavaScript before its memory is looked at: a getter could change that.
    data::SliceInfo slice = toInfo(object, formatOf(array));
    const Napi::Value mask = object.Get("mask"), lungs = object.Get("lungs");
    const size_t index = store_->append(std::move(slice), bytesOf(array), toMask(mask), toMask(lungs));
    if (store_->memoryBytes() > kWorthFreeing) {
      freeArray(data);
      freeArray(mask);
      freeArray(lungs);
    }
    reportMemory();
    return Napi::Number::New(info.Env(), static_cast<double>(index));
  });
}

Napi::Value SliceStoreObject::isOverLimit(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), store_->isOverLimit());
}

Napi::Value SliceStoreObject::spill(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return AddonData::of(info.Env()).run(info.Env(), nullptr, [store = store_](const CancelFlag&) {
      store->spill();
      return Deferred::Convert([](Napi::Env env) { return env.Undefined(); });
    });
  });
}

Napi::Value SliceStoreObject::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const size_t index = toIndex(info[0]);
    return AddonData::of(info.Env()).run(info.Env(), nullptr, [store = store_, index](const CancelFlag&) {
      auto pixels = std::make_shared<std::vector<std::byte>>(store->pixels(index));
      return Deferred::Convert([=](Napi::Env env) { return fromPixels(env, store->info(index), *pixels); });
    });
  });
}

Napi::Value SliceStoreObject::release(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    store_->release(toIndex(info[0]), toIndex(info[1]));
    reportMemory();
    return info.Env().Undefined();
  });
}

Napi::Value SliceStoreObject::size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(store_->size()));
}

std::vector<size_t> toSliceIndices(const Napi::Value& value) {
  require(value.IsArray(), errors::kInvalidType, "slices must be an array of indices");
  const auto array = value.As<Napi::Array>();
  std::vector<size_t> indices;
  for (uint32_t i = 0; i < array.Length(); ++i) indices.push_back(toIndex(array.Get(i)));
  return indices;
}

}  // namespace jcs::binding
