#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "backend/backend.h"

namespace jcs::conformance {

/// A tensor in a device's memory with guards all around it: margins before and after and, as a channel slice of a wider
/// tensor, the channels to its left and right.
class PlacedTensor {
 public:
  /// Channel counts to the left and right of a slice: odd, so that rows are aligned to elements only.
  static constexpr int64_t kChannelsBefore = 3, kChannelsAfter = 2;
  /// What guards hold. As floats, 0xff bytes are NaN, which shows in results when read; 0xa5 is told from a copied NaN.
  static constexpr std::byte kInputGuard{0xff}, kOutputGuard{0xa5};
  /// What outputs and scratch hold before a run: NaN, so that an element left out shows.
  static constexpr std::byte kUndefined{0xff};

  PlacedTensor(std::shared_ptr<Backend> backend, TensorType type, bool slice, std::byte guard)
      : backend_(backend), type_(type), slice_(slice), image_(imageBytes(type, slice), guard) {
    buffer_ = DeviceBuffer(std::move(backend), static_cast<int64_t>(image_.size()));
  }

  Operand operand() const {
    if (!slice_) return Operand::dense(type_);
    return {type_, type_.shape.channels() + kChannelsBefore + kChannelsAfter, sizeOf(type_.dtype)};
  }
  std::byte* data() const { return buffer_.data() + dataOffset(); }

  /// Puts `tensor`, of the same type, on the device.
  void store(const Tensor& tensor) {
    forEachRow([&](size_t at, size_t row, size_t bytes) { std::memcpy(&image_[at], tensor.data() + row, bytes); });
    upload();
  }
  void storeUndefined() {
    forEachRow([&](size_t at, size_t, size_t bytes) { std::fill_n(&image_[at], bytes, kUndefined); });
    upload();
  }
  /// What lies there now, guards checked along the way: `intact` tells whether they hold what was stored.
  Tensor load(bool& intact) {
    std::vector<std::byte> now(image_.size());
    backend_->download(now.data(), buffer_.data(), buffer_.bytes());
    Tensor tensor(type_);
    forEachRow([&](size_t at, size_t row, size_t bytes) {
      std::memcpy(tensor.data() + row, &now[at], bytes);
      std::memcpy(&image_[at], &now[at], bytes);
    });
    intact = now == image_;
    return tensor;
  }
  /// Whether all of it, the tensor included, holds what was stored.
  bool unchanged() {
    std::vector<std::byte> now(image_.size());
    backend_->download(now.data(), buffer_.data(), buffer_.bytes());
    return now == image_;
  }

 private:
  static constexpr int64_t kMargin = 256;  // keeps dense tensors 64-byte aligned, as programs place them

  static size_t imageBytes(const TensorType& type, bool slice) {
    const int64_t extra = slice ? type.shape.rows() * (kChannelsBefore + kChannelsAfter) * sizeOf(type.dtype) : 0;
    return static_cast<size_t>(2 * kMargin + type.bytes() + extra);
  }
  int64_t dataOffset() const { return kMargin + (slice_ ? kChannelsBefore * sizeOf(type_.dtype) : 0); }
  void upload() { backend_->upload(buffer_.data(), image_.data(), buffer_.bytes()); }

  /// visit(offset in the image, offset in the dense tensor, bytes) for every row.
  template <typename Visit>
  void forEachRow(Visit visit) const {
    const int64_t size = sizeOf(type_.dtype), bytes = type_.shape.channels() * size;
    for (int64_t row = 0; row < type_.shape.rows(); ++row)
      visit(static_cast<size_t>(dataOffset() + row * operand().rowStride * size), static_cast<size_t>(row * bytes),
            static_cast<size_t>(bytes));
  }

  std::shared_ptr<Backend> backend_;
  TensorType type_;
  bool slice_;
  std::vector<std::byte> image_;
  DeviceBuffer buffer_;
};

}  // namespace jcs::conformance
