#include "binding/requests.h"

#include "binding/convert.h"
#include "binding/slice_store_object.h"

namespace jcs::binding {

diagnosis::TestTimeAugmentation toTestTimeAugmentation(const Napi::Object& options) {
  diagnosis::TestTimeAugmentation testTime;
  const Napi::Value given = options.Get("testTimeAugmentation");
  if (given.IsUndefined()) return testTime;
  const Napi::Object views = toObject(given, "testTimeAugmentation");
  testTime.horizontalFlip = toBoolean(views.Get("horizontalFlip"), "testTimeAugmentation.horizontalFlip");
  testTime.verticalFlip = toBoolean(views.Get("verticalFlip"), "testTimeAugmentation.verticalFlip");
  const Napi::Value scales = views.Get("scales");
  require(scales.IsArray(), errors::kInvalidType, "testTimeAugmentation.scales must be an array");
  testTime.scales.clear();
  for (uint32_t i = 0; i < scales.As<Napi::Array>().Length(); ++i)
    testTime.scales.push_back(toNumber(scales.As<Napi::Array>().Get(i), "every one of testTimeAugmentation.scales"));
  return testTime;
}

diagnosis::ClassificationRequest toClassificationRequest(const Napi::Object& options) {
  return {toBoolean(options.Get("explain"), "explain"), toTestTimeAugmentation(options)};
}

diagnosis::SegmentationRequest toSegmentationRequest(const Napi::Object& options) {
  diagnosis::SegmentationRequest request;
  request.threshold = static_cast<float>(toNumber(options.Get("threshold"), "threshold"));
  request.probabilities = toBoolean(options.Get("probabilities"), "probabilities");
  request.minAreaPixels = toWhole(options.Get("minAreaPixels"), "minAreaPixels", 1);
  request.testTime = toTestTimeAugmentation(options);
  return request;
}

SharedSlices toSharedSlices(const Napi::Value& slices, const Napi::Object& options) {
  require(slices.IsArray(), errors::kInvalidType, "slices must be an array of stores with indices");
  const auto parts = slices.As<Napi::Array>();
  std::vector<std::shared_ptr<data::SliceStore>> stores;
  std::vector<diagnosis::StoredSlice> stored;
  for (uint32_t i = 0; i < parts.Length(); ++i) {
    const Napi::Object part = toObject(parts.Get(i), "every one of slices");
    stores.push_back(SliceStoreObject::unwrap(part.Get("store")));
    for (const size_t index : toSliceIndices(part.Get("slices"))) stored.push_back({stores.back().get(), index});
  }
  return {std::move(stores),
          diagnosis::SliceSelection(std::move(stored), toBoolean(options.Get("isRemainder"), "isRemainder"))};
}

}  // namespace jcs::binding
