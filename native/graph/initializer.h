#pragma once

#include <cstdint>

namespace jcs {

/// How a state that no file provides gets its first value. Drawn from Philox(seed, state name), so that adding a layer
/// does not change how the others start.
struct Initializer {
  enum class Kind {
    kConstant,       ///< every element = value
    kUniformFanIn,   ///< U(−1/√fan, 1/√fan): PyTorch's default of conv and linear, weights and biases alike
    kKaimingFanOut,  ///< N(0, √(2/fan)): Res2Net's convolutions
    kNormal,         ///< N(0, value)
  };
  Kind kind = Kind::kConstant;
  float value = 0;
  int64_t fan = 1;

  static Initializer constant(float value) { return {Kind::kConstant, value, 1}; }
  static Initializer uniformFanIn(int64_t fan) { return {Kind::kUniformFanIn, 0, fan}; }
  static Initializer kaimingFanOut(int64_t fan) { return {Kind::kKaimingFanOut, 0, fan}; }
  static Initializer normal(float deviation) { return {Kind::kNormal, deviation, 1}; }
};

}  // namespace jcs
