#pragma once

#include <napi.h>

#include "diagnosis/inference.h"

namespace jcs::binding {

/// What is asked of networks, from options as ts/native.ts declares them. INVALID_TYPE and INVALID_ARGUMENT.
diagnosis::ClassificationRequest toClassificationRequest(const Napi::Object& options);
diagnosis::SegmentationRequest toSegmentationRequest(const Napi::Object& options);
/// Of the option `testTimeAugmentation`, which may be left out.
diagnosis::TestTimeAugmentation toTestTimeAugmentation(const Napi::Object& options);

}  // namespace jcs::binding
