#pragma once

#include <cmath>

#include "backend/backend.h"
#include "ops/activation.h"

namespace jcs::reference {

/// An operand in memory, indexed by logical coordinates: rows of channels, `rowStride` elements from one to the next.
template <typename T>
class View {
 public:
  View(T* data, const Operand& operand) : data_(data), shape_(operand.type.shape), rowStride_(operand.rowStride) {}

  const Shape& shape() const { return shape_; }
  int64_t extent(int axis) const { return shape_[axis]; }
  int64_t elements() const { return shape_.elements(); }
  int64_t rows() const { return shape_.rows(); }
  int64_t channels() const { return shape_.channels(); }

  T& at(int64_t row, int64_t channel) const { return data_[row * rowStride_ + channel]; }
  /// The element of a rank 4 tensor: pixel (y, x) of sample n of an activation, tap (r, s) of a weight as (o, i, r, s).
  T& at(int64_t a, int64_t b, int64_t c, int64_t d) const { return at((a * shape_[1] + b) * shape_[2] + c, d); }
  /// The i-th element in row-major order.
  T& operator[](int64_t i) const { return at(i / channels(), i % channels()); }

  void fill(T value) const {
    for (int64_t i = 0; i < elements(); ++i) (*this)[i] = value;
  }

 private:
  T* data_;
  Shape shape_;
  int64_t rowStride_;
};

using Input = View<const double>;
using Output = View<double>;

inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

inline double apply(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return x > 0 ? x : 0;
    case Activation::kSigmoid: return sigmoid(x);
  }
  return x;
}

/// The row-major position in `small` of what element `i` of `large` reads when `small` is broadcast to `large`.
inline int64_t broadcastPosition(int64_t i, const Shape& large, const Shape& small) {
  int64_t position = 0, stride = 1;
  for (int axis = large.rank() - 1; axis >= 0; --axis) {
    const int64_t coordinate = i % large[axis];
    i /= large[axis];
    const int smallAxis = axis - (large.rank() - small.rank());
    if (smallAxis < 0) break;
    if (small[smallAxis] != 1) position += coordinate * stride;
    stride *= small[smallAxis];
  }
  return position;
}

}  // namespace jcs::reference
