#pragma once

#include "binding/addon_data.h"
#include "diagnosis/case_rule.h"
#include "diagnosis/inference.h"

namespace jcs::binding {

/// JavaScript class NativeMask (contract in ts/native.ts): the mask of a slice, kept as bits until it is read.
class MaskObject : public Napi::ObjectWrap<MaskObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Value wrap(Napi::Env env, data::BitMask mask);
  /// INVALID_TYPE for what is no mask.
  static const data::BitMask& unwrap(const Napi::Value& value);

  explicit MaskObject(const Napi::CallbackInfo& info);
  ~MaskObject() override;

 private:
  Napi::Value bytes(const Napi::CallbackInfo& info);

  data::BitMask mask_;
};

/// What was found on slices of these sizes, as arrays of NativeClassification and NativeSegmentation.
Napi::Value fromClassifications(Napi::Env env, const std::vector<diagnosis::SliceClassification>& results,
                                const diagnosis::SliceSelection& slices, const diagnosis::CaseRule& rule, bool explain);
Napi::Value fromSegmentations(Napi::Env env, std::vector<diagnosis::SliceSegmentation>& results,
                              const diagnosis::SliceSelection& slices);

}  // namespace jcs::binding
