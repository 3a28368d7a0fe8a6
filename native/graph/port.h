#pragma once

#include <cstddef>
#include <type_traits>

#include "core/tensor.h"

namespace jcs {

/// What a graph is fed with, or gives: a name, and what one of its values is. Whoever builds the graph and whoever
/// binds memory to its program use one constant, so that neither name nor type can differ.
template <typename T>
struct InputPort {
  const char* name;
};
template <typename T>
struct OutputPort {
  const char* name;
};

/// The type of a tensor of floats, of bytes, or of records, whose bytes are then its last axis.
template <typename T>
TensorType typeOf(Shape shape) {
  if constexpr (std::is_same_v<T, float>) {
    return {DType::kF32, std::move(shape)};
  } else if constexpr (std::is_same_v<T, std::byte>) {
    return {DType::kU8, std::move(shape)};
  } else {
    static_assert(std::is_trivially_copyable_v<T>);
    invariant(shape.rank() == 1, "records come in tables");
    return {DType::kU8, {shape[0], static_cast<int64_t>(sizeof(T))}};
  }
}

}  // namespace jcs
