#include "core/shape.h"

#include <algorithm>

namespace jcs {

Shape::Shape(std::span<const int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  require(extents.size() <= kMaxRank, errors::kShapeMismatch,
          [&] { return "tensors have at most 4 dimensions, got " + std::to_string(extents.size()); });
  for (size_t i = 0; i < extents.size(); ++i) {
    require(extents[i] >= 0, errors::kShapeMismatch, "a dimension is negative");
    extents_[i] = extents[i];
  }
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (int64_t extent : extents())
    require(!__builtin_mul_overflow(product, extent, &product), errors::kInputTooLarge,
            [&] { return "a tensor of shape " + toString() + " has more elements than can be counted"; });
  return product;
}

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(extents(), other.extents()); }

std::string Shape::toString() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string((*this)[i]);
  return text + "]";
}

}  // namespace jcs
