#pragma once

#include "binding/addon_data.h"
#include "data/packed_dataset.h"

namespace jcs {

/// JavaScript class NativeDataset (contract in ts/native.ts): decoded samples, packed on disk.
class DatasetObject : public Napi::ObjectWrap<DatasetObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  /// INVALID_TYPE for anything but a dataset.
  static std::shared_ptr<PackedDataset> unwrap(const Napi::Value& value);

  explicit DatasetObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value append(const Napi::CallbackInfo& info);
  Napi::Value size(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);

  std::shared_ptr<PackedDataset> dataset_;
  /// Appends one at a time, in the order of the calls.
  std::shared_ptr<std::mutex> appending_ = std::make_shared<std::mutex>();
};

}  // namespace jcs
