#include "binding/dataset_object.h"

#include "binding/convert.h"
#include "binding/pixels.h"

namespace jcs {

namespace {

Sample toSample(const Napi::Value& value) {
  const Napi::Object object = toObject(value, "a sample");
  Sample sample;
  sample.image = toSlice(object.Get("image")).pixels;
  const Napi::Value mask = object.Get("mask");
  if (!mask.IsUndefined()) {
    require(mask.IsTypedArray() && mask.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array,
            errors::kInvalidType, "a mask must be a Uint8Array");
    const auto array = mask.As<Napi::Uint8Array>();
    require(static_cast<int64_t>(array.ElementLength()) == sample.image.width * sample.image.height,
            errors::kShapeMismatch, "a mask must have one value per pixel of its image");
    sample.mask.assign(array.Data(), array.Data() + array.ElementLength());
  }
  const Napi::Value label = object.Get("label");
  if (!label.IsUndefined()) {
    const double number = toNumber(label, "label");
    require(number == 0 || number == 1, errors::kInvalidArgument, "a label must be 0 (uninfected) or 1 (infected)");
    sample.label = static_cast<int>(number);
  }
  const Napi::Value patient = object.Get("patient");
  if (!patient.IsUndefined()) sample.patient = toString(patient, "patient");
  return sample;
}

}  // namespace

void DatasetObject::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(
      env, "NativeDataset",
      {InstanceMethod("append", &DatasetObject::append), InstanceAccessor("size", &DatasetObject::size, nullptr),
       InstanceAccessor("bytes", &DatasetObject::bytes, nullptr)});
  AddonData::of(env).datasetConstructor = Napi::Persistent(constructor);
  exports.Set("NativeDataset", constructor);
}

DatasetObject::DatasetObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    dataset_ = std::make_shared<PackedDataset>(info[0].IsUndefined() ? "" : toString(info[0], "directory"));
  });
}

std::shared_ptr<PackedDataset> DatasetObject::unwrap(const Napi::Value& value) {
  const bool known =
      value.IsObject() && value.As<Napi::Object>().InstanceOf(AddonData::of(value.Env()).datasetConstructor.Value());
  require(known, errors::kInvalidType, "expected a NativeDataset");
  return DatasetObject::Unwrap(value.As<Napi::Object>())->dataset_;
}

Napi::Value DatasetObject::append(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto sample = std::make_shared<Sample>(toSample(info[0]));
    return AddonData::of(info.Env())
        .run(info.Env(), nullptr, [sample, dataset = dataset_, appending = appending_](const CancelFlag&) {
          const std::lock_guard lock(*appending);
          dataset->append(*sample);
          return Deferred::Convert([](Napi::Env env) { return env.Undefined(); });
        });
  });
}

Napi::Value DatasetObject::size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(dataset_->size()));
}

Napi::Value DatasetObject::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(dataset_->bytes()));
}

}  // namespace jcs
