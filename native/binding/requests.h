#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "diagnosis/inference.h"

namespace jcs::binding {

/// What is asked of networks, from options as ts/native.ts declares them. INVALID_TYPE and INVALID_ARGUMENT.
diagnosis::ClassificationRequest toClassificationRequest(const Napi::Object& options);
diagnosis::SegmentationRequest toSegmentationRequest(const Napi::Object& options);
/// Of the option `testTimeAugmentation`, which may be left out.
diagnosis::TestTimeAugmentation toTestTimeAugmentation(const Napi::Object& options);

/// Slices that a network is to see together, with a share in the stores where they lie.
struct SharedSlices {
  std::vector<std::shared_ptr<data::SliceStore>> stores;
  diagnosis::SliceSelection selection;
};
/// Of NativeStoredSlices[] (ts/native.ts) and the option `isRemainder`. INVALID_TYPE, INVALID_ARGUMENT.
SharedSlices toSharedSlices(const Napi::Value& slices, const Napi::Object& options);

}  // namespace jcs::binding
