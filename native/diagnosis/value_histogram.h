#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/quantization.h"

namespace jcs::diagnosis {

/// How often a layer's input had which values, and which range bytes should stand for.
class ValueHistogram {
 public:
  /// The first of two passes: between which numbers the values lie.
  void addToRange(std::span<const float> values);
  /// The second: how they lie.
  void add(std::span<const float> values);

  const compiler::ValueRange& range() const { return range_; }
  /// The range, shrunk towards 0, of which 256 steps give the values back with the least mean square error: few large
  /// values are cut off where all others gain by finer steps.
  compiler::ValueRange bestRange() const;

 private:
  double squareError(const compiler::ValueRange& clipped) const;
  double centre(size_t bin) const;

  compiler::ValueRange range_;  ///< 0 is always in it
  std::vector<uint64_t> bins_;
};

}  // namespace jcs::diagnosis
