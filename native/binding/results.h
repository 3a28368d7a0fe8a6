#pragma once

#include "binding/addon_data.h"
#include "diagnosis/case_rule.h"
#include "diagnosis/inference.h"

namespace jcs {

/// JavaScript class NativeMask (contract in ts/native.ts): the mask of a slice, kept as bits until it is read.
class MaskObject : public Napi::ObjectWrap<MaskObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Value wrap(Napi::Env env, BitMask mask);
  /// INVALID_TYPE for what is no mask.
  static const BitMask& unwrap(const Napi::Value& value);

  explicit MaskObject(const Napi::CallbackInfo& info);
  ~MaskObject() override;

 private:
  Napi::Value bytes(const Napi::CallbackInfo& info);

  BitMask mask_;
};

/// What was found on slices of these sizes, as arrays of NativeClassification and NativeSegmentation.
Napi::Value fromClassifications(Napi::Env env, const std::vector<SliceClassification>& results,
                                const SliceSelection& slices, const CaseRule& rule, bool explain);
Napi::Value fromSegmentations(Napi::Env env, std::vector<SliceSegmentation>& results, const SliceSelection& slices);

}  // namespace jcs
