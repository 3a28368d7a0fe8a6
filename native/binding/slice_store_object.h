#pragma once

#include "binding/addon_data.h"
#include "data/slice_store.h"

namespace jcs::binding {

/// JavaScript class NativeSliceStore (contract in ts/native.ts): decoded slices, each copied in once.
class SliceStoreObject : public Napi::ObjectWrap<SliceStoreObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  /// INVALID_TYPE for anything but a store.
  static std::shared_ptr<data::SliceStore> unwrap(const Napi::Value& value);

  explicit SliceStoreObject(const Napi::CallbackInfo& info);
  ~SliceStoreObject() override;

 private:
  Napi::Value append(const Napi::CallbackInfo& info);
  Napi::Value isOverLimit(const Napi::CallbackInfo& info);
  Napi::Value spill(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value size(const Napi::CallbackInfo& info);
  void reportMemory();

  std::shared_ptr<data::SliceStore> store_;
  int64_t reportedBytes_ = 0;  ///< what V8 was told that this object holds outside its heap
};

/// INVALID_TYPE, INVALID_ARGUMENT. Whether a store has such slices is the store's to say.
std::vector<size_t> toSliceIndices(const Napi::Value& value);

}  // namespace jcs::binding
