#include "binding/requests.h"

#include "binding/convert.h"

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

}  // namespace jcs::binding
