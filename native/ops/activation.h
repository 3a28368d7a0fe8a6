#pragma once

#include <string>

namespace jcs {

/// An elementwise function that convolutions and matrix products can apply to their result before storing it.
enum class Activation { kNone, kRelu, kSigmoid };

inline std::string nameOf(Activation activation) {
  return activation == Activation::kNone ? "none" : activation == Activation::kRelu ? "relu" : "sigmoid";
}

}  // namespace jcs
