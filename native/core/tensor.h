#pragma once

#include <memory>
#include <span>

#include "core/dtype.h"
#include "core/host_memory.h"
#include "core/shape.h"

namespace jcs {

struct TensorType {
  DType dtype = DType::kF32;
  Shape shape;

  int64_t elements() const { return shape.elements(); }
  int64_t bytes() const { return elements() * sizeOf(dtype); }
  bool operator==(const TensorType&) const = default;
};

/// 64-byte aligned host memory. Allocation failure is OUT_OF_MEMORY, naming the size asked for.
class HostBuffer {
 public:
  HostBuffer() = default;
  explicit HostBuffer(int64_t bytes);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct Free {
    int64_t bytes;
    void operator()(std::byte* data) const { freeHostMemory(data, bytes); }
  };
  std::unique_ptr<std::byte, Free> data_;
  int64_t bytes_ = 0;
};

/// A dense host tensor that owns its memory. Movable, copied only by `clone`.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(TensorType type) : type_(std::move(type)), buffer_(type_.bytes()) {}
  Tensor(DType dtype, Shape shape) : Tensor(TensorType{dtype, std::move(shape)}) {}

  /// A float32 tensor holding a copy of `values`, whose count must be that of `shape`.
  static Tensor fromFloats(Shape shape, std::span<const float> values);
  static Tensor zeros(DType dtype, Shape shape);

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  int64_t elements() const { return type_.elements(); }
  int64_t bytes() const { return buffer_.bytes(); }
  std::byte* data() { return buffer_.data(); }
  const std::byte* data() const { return buffer_.data(); }

  template <typename T>
  std::span<T> as() {
    invariant(sizeof(T) == static_cast<size_t>(sizeOf(type_.dtype)), "a tensor is read as another dtype");
    return {reinterpret_cast<T*>(buffer_.data()), static_cast<size_t>(elements())};
  }
  template <typename T>
  std::span<const T> as() const {
    return const_cast<Tensor*>(this)->as<T>();
  }
  Tensor clone() const;
  /// Converts between dtypes element by element, rounding to nearest even.
  Tensor to(DType dtype) const;

 private:
  TensorType type_;
  HostBuffer buffer_;
};

/// N×C×H×W floats to N×H×W×C and back: the public API is NCHW, everything inside is channels last.
Tensor channelsLast(const Tensor& nchw);
Tensor channelsFirst(const Tensor& nhwc);

}  // namespace jcs
