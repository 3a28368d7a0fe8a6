#include "binding/results.h"

#include "binding/convert.h"

namespace jcs::binding {

namespace {

Napi::Object fromLesion(Napi::Env env, const measure::Lesion& lesion) {
  const auto object = Napi::Object::New(env);
  object.Set("areaPixels", static_cast<double>(lesion.areaPixels));
  if (lesion.areaMm2) object.Set("areaMm2", *lesion.areaMm2);
  object.Set("x0", lesion.x0);
  object.Set("y0", lesion.y0);
  object.Set("width", static_cast<double>(lesion.width));
  object.Set("height", static_cast<double>(lesion.height));
  const auto position = Napi::Object::New(env);
  position.Set("x", lesion.left ? "left" : "right");
  position.Set("y", lesion.up ? "up" : "down");
  object.Set("position", position);
  return object;
}

}  // namespace

void MaskObject::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(env, "NativeMask", {InstanceMethod("bytes", &MaskObject::bytes)});
  AddonData::of(env).maskConstructor = Napi::Persistent(constructor);
  exports.Set("NativeMask", constructor);
}

Napi::Value MaskObject::wrap(Napi::Env env, data::BitMask mask) {
  return AddonData::of(env).maskConstructor.New({Napi::External<data::BitMask>::New(env, &mask)});
}

const data::BitMask& MaskObject::unwrap(const Napi::Value& value) {
  const bool known =
      value.IsObject() && value.As<Napi::Object>().InstanceOf(AddonData::of(value.Env()).maskConstructor.Value());
  require(known, errors::kInvalidType, "expected a mask made by segmentation");
  return MaskObject::Unwrap(value.As<Napi::Object>())->mask_;
}

MaskObject::MaskObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    require(info.Length() == 1 && info[0].IsExternal(), errors::kInvalidType, "masks are made by segmentation");
    mask_ = std::move(*info[0].As<Napi::External<data::BitMask>>().Data());
  });
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), static_cast<int64_t>(mask_.bits().size()));
}

MaskObject::~MaskObject() {
  Napi::MemoryManagement::AdjustExternalMemory(Env(), -static_cast<int64_t>(mask_.bits().size()));
}

Napi::Value MaskObject::bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return fromBytes(info.Env(), mask_.bytes()); });
}

Napi::Value fromClassifications(Napi::Env env, const std::vector<diagnosis::SliceClassification>& results,
                                const diagnosis::SliceSelection& slices, const diagnosis::CaseRule& rule,
                                bool explain) {
  const auto array = Napi::Array::New(env, results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    const auto item = Napi::Object::New(env);
    item.Set("probability", static_cast<double>(results[i].probability));
    item.Set("positive", rule.isPositiveSlice(results[i].probability));
    if (explain) {
      const auto map = Napi::Object::New(env);
      map.Set("data", fromFloats(env, results[i].activationMap));
      map.Set("width", static_cast<double>(slices.info(i).width));
      map.Set("height", static_cast<double>(slices.info(i).height));
      item.Set("activationMap", map);
    }
    array.Set(static_cast<uint32_t>(i), item);
  }
  return array;
}

Napi::Value fromSegmentations(Napi::Env env, std::vector<diagnosis::SliceSegmentation>& results,
                              const diagnosis::SliceSelection& slices) {
  const auto array = Napi::Array::New(env, results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    diagnosis::SliceSegmentation& result = results[i];
    const auto item = Napi::Object::New(env);
    item.Set("width", static_cast<double>(slices.info(i).width));
    item.Set("height", static_cast<double>(slices.info(i).height));
    item.Set("mask", MaskObject::wrap(env, std::move(result.mask)));
    if (!result.probabilities.empty()) item.Set("probabilities", fromFloats(env, result.probabilities));
    const auto lesions = Napi::Array::New(env, result.lesions.size());
    for (size_t l = 0; l < result.lesions.size(); ++l)
      lesions.Set(static_cast<uint32_t>(l), fromLesion(env, result.lesions[l]));
    item.Set("lesions", lesions);
    item.Set("laterality", slices.info(i).orientation ? "patient" : "image");
    item.Set("areaPixels", static_cast<double>(result.areaPixels));
    if (result.areaMm2) item.Set("areaMm2", *result.areaMm2);
    array.Set(static_cast<uint32_t>(i), item);
  }
  return array;
}

}  // namespace jcs::binding
