#include "binding/measurement.h"

#include "binding/cancellation.h"
#include "binding/convert.h"
#include "binding/results.h"
#include "binding/slice_store_object.h"
#include "measure/involvement.h"

namespace jcs::binding {

namespace {

struct Measurement {
  measure::StackGeometry geometry;
  std::vector<data::BitMask> lungMasks;
  measure::Involvement involvement;
};

std::vector<data::BitMask> toMasks(const Napi::Value& value, size_t slices, const char* what) {
  require(value.IsArray() && value.As<Napi::Array>().Length() == slices, errors::kInvalidArgument,
          [&] { return std::string(what) + " must be an array with a mask for each slice"; });
  std::vector<data::BitMask> masks;
  for (uint32_t i = 0; i < slices; ++i) masks.push_back(MaskObject::unwrap(value.As<Napi::Array>().Get(i)));
  return masks;
}

/// Of the patient, who is seen from the feet where rows run to the left.
const char* sideName(bool isImageRight, const measure::StackGeometry& geometry) {
  return isImageRight == geometry.rowsRunToPatientsLeft ? "left" : "right";
}

const char* nameOf(measure::Third third) {
  return third == measure::Third::kUpper ? "upper" : third == measure::Third::kMiddle ? "middle" : "lower";
}

void setPart(Napi::Object object, const measure::PartInvolvement& part) {
  object.Set("lungVolumeMl", part.lungMl);
  object.Set("lesionVolumeMl", part.lesionMl);
  object.Set("percent", part.percent());
}

Napi::Object fromLesion(Napi::Env env, const measure::VolumeLesion& lesion, const measure::StackGeometry& geometry) {
  const auto object = Napi::Object::New(env);
  object.Set("volumeMl", lesion.volumeMl);
  if (lesion.meanHu) object.Set("meanHu", *lesion.meanHu);
  object.Set("firstSlice", static_cast<double>(lesion.firstSlice));
  object.Set("lastSlice", static_cast<double>(lesion.lastSlice));
  object.Set("centroidX", lesion.centroidX);
  object.Set("centroidY", lesion.centroidY);
  object.Set("side", sideName(lesion.right, geometry));
  object.Set("third", nameOf(lesion.third));
  return object;
}

Napi::Object fromInvolvement(Napi::Env env, const measure::Involvement& involvement,
                             const measure::StackGeometry& geometry) {
  const auto object = Napi::Object::New(env);
  setPart(object, involvement.total());
  const auto sides = Napi::Array::New(env), regions = Napi::Array::New(env), lesions = Napi::Array::New(env);
  // The patient's right first.
  const bool imageLeftIsRight = std::string(sideName(false, geometry)) == "right";
  for (const bool isImageRight : {!imageLeftIsRight, imageLeftIsRight}) {
    const auto side = Napi::Object::New(env);
    side.Set("side", sideName(isImageRight, geometry));
    setPart(side, involvement.side(isImageRight));
    sides.Set(sides.Length(), side);
    for (const measure::Third third : {measure::Third::kUpper, measure::Third::kMiddle, measure::Third::kLower}) {
      const auto region = Napi::Object::New(env);
      region.Set("side", sideName(isImageRight, geometry));
      region.Set("third", nameOf(third));
      setPart(region, involvement.regions[isImageRight][static_cast<size_t>(third)]);
      regions.Set(regions.Length(), region);
    }
  }
  for (const measure::VolumeLesion& lesion : involvement.lesions)
    lesions.Set(lesions.Length(), fromLesion(env, lesion, geometry));
  object.Set("sides", sides);
  object.Set("regions", regions);
  object.Set("lesionOutsideLungsMl", involvement.outsideMl);
  object.Set("severityScore", involvement.severityScore());
  object.Set("lesions", lesions);
  return object;
}

Napi::Value fromMeasurement(Napi::Env env, Measurement& measurement) {
  const auto object = Napi::Object::New(env);
  const auto masks = Napi::Array::New(env), areas = Napi::Array::New(env);
  for (data::BitMask& mask : measurement.lungMasks) masks.Set(masks.Length(), MaskObject::wrap(env, std::move(mask)));
  for (const double area : measurement.involvement.lesionAreasMm2) areas.Set(areas.Length(), area);
  object.Set("lungMasks", masks);
  object.Set("lesionAreasMm2", areas);
  object.Set("involvement", fromInvolvement(env, measurement.involvement, measurement.geometry));
  return object;
}

Napi::Value measureCase(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto store = SliceStoreObject::unwrap(info[0]);
    const auto indices = toSliceIndices(info[1]);
    auto lungMasks = toMasks(info[2], indices.size(), "lungs");
    auto lesionMasks = toMasks(info[3], indices.size(), "lesions");
    // A whole chest takes a tenth of a second, so nobody is asked on the way whether it is still wanted.
    const auto work = [=](const CancelFlag&) -> Deferred::Convert {
      const auto geometry = measure::stackGeometry(*store, indices);
      if (const auto* reason = std::get_if<std::string>(&geometry))
        return [reason = *reason](Napi::Env env) -> Napi::Value {
          const auto object = Napi::Object::New(env);
          object.Set("reason", reason);
          return object;
        };
      const auto measurement =
          std::make_shared<Measurement>(Measurement{std::get<measure::StackGeometry>(geometry), lungMasks, {}});
      const measure::HounsfieldOf hounsfieldOf = [&](size_t slice) {
        std::vector<int16_t> hounsfield;
        if (!store->info(indices[slice]).isSigned()) return hounsfield;
        hounsfield.resize(static_cast<size_t>(measurement->geometry.width * measurement->geometry.height));
        store->read(indices[slice], std::as_writable_bytes(std::span(hounsfield)));
        return hounsfield;
      };
      const measure::Lungs lungs = measure::findLungs(measurement->lungMasks, measurement->geometry, hounsfieldOf);
      measurement->involvement = measure::measureInvolvement(lungs, lesionMasks, measurement->geometry, hounsfieldOf);
      return [measurement](Napi::Env env) { return fromMeasurement(env, *measurement); };
    };
    return AddonData::of(info.Env()).run(info.Env(), toCancelFlag(info[4]), work);
  });
}

/// Runs of the masks of slices, five numbers each: component, slice, row, and columns from and to.
Napi::Value maskRuns(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    require(info[0].IsArray(), errors::kInvalidType, "masks must be an array of Uint8Array");
    const auto masks = info[0].As<Napi::Array>();
    const int64_t width = toWhole(info[1], "width", 1, INT32_MAX), height = toWhole(info[2], "height", 1, INT32_MAX);
    std::vector<measure::MaskRuns> slices;
    size_t count = 0;
    for (uint32_t s = 0; s < masks.Length(); ++s) {
      slices.emplace_back(toBytes(masks.Get(s), "a mask"), width, height);
      count += slices.back().size();
    }
    const measure::Components components(slices, measure::Connectivity::kCorners);
    auto runs = Napi::Int32Array::New(info.Env(), 5 * count);
    size_t at = 0;
    for (size_t s = 0; s < slices.size(); ++s)
      for (size_t i = 0; i < slices[s].size(); ++i) {
        const measure::Run& run = slices[s][i];
        for (const int64_t number :
             {static_cast<int64_t>(components.of(s, i)), static_cast<int64_t>(s), run.row, run.begin, run.end})
          runs[at++] = static_cast<int32_t>(number);
      }
    return runs;
  });
}

}  // namespace

void defineMeasurement(Napi::Env env, Napi::Object exports) {
  exports.Set("measureCase", Napi::Function::New(env, measureCase));
  exports.Set("maskRuns", Napi::Function::New(env, maskRuns));
}

}  // namespace jcs::binding
