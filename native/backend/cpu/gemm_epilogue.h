#pragma once

#include "backend/cpu/affine_rows.h"
#include "ops/quantized.h"

/// What becomes of the sums of a matrix product: bias, residual, activation, and the type of the result.
namespace jcs::cpu {

/// What bytes stand for, ready for loops.
struct ByteCode {
  float scale, inverse, zero;
  uint32_t zeroByte;

  explicit ByteCode(const Quantization& q)
      : scale(q.scale),
        inverse(1.0f / q.scale),
        zero(static_cast<float>(q.zero)),
        zeroByte(static_cast<uint32_t>(q.zero)) {}
};

template <typename Number>
JCS_INLINE Number loadBytes(const uint8_t* p, const ByteCode& code) {
  if constexpr (std::is_same_v<Number, float>) {
    return (static_cast<float>(*p) - code.zero) * code.scale;
  } else {
    using L = LanesOf<Number>;
    typename L::Bytes bytes;
    std::memcpy(&bytes, p, sizeof bytes);
    return (__builtin_convertvector(__builtin_convertvector(bytes, typename L::Flags), Number) - code.zero) *
           code.scale;
  }
}

/// Rounds ties to even before the zero is added; a NaN becomes 0.
template <typename Number>
JCS_INLINE void storeBytes(uint8_t* p, const Number& x, const ByteCode& code) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer, kept in the low bits
  Number steps = x * code.inverse;
  steps = steps > -code.zero ? steps : Number{} - code.zero;
  steps = steps < 255.0f - code.zero ? steps : Number{} + (255.0f - code.zero);
  const auto bits = (bitsOf(Number(steps + kRound)) + code.zeroByte) & 0xffu;
  if constexpr (std::is_same_v<Number, float>) {
    *p = static_cast<uint8_t>(bits);
  } else {
    const auto bytes = __builtin_convertvector(bits, typename LanesOf<Number>::Bytes);
    std::memcpy(p, &bytes, sizeof bytes);
  }
}

/// Sums of products of floats.
struct FloatSums {
  const float* at;
  int64_t stride;
  const float* bias;

  template <typename Number>
  JCS_INLINE Number get(int64_t pixel, int64_t output) const {
    return load<Number>(at + pixel * stride + output) + load<Number>(bias + output);
  }
};

/// Sums of products of bytes by rounded weights: those of `input.zero` are taken off, and the scales put on.
struct ByteSums {
  const int32_t* at;
  int64_t stride;
  const float* bias;
  const float* scales;        ///< of the weights, by output
  const int32_t* weightSums;  ///< of the rounded weights of an output
  float inputScale;
  int32_t inputZero;

  template <typename Number>
  JCS_INLINE Number get(int64_t pixel, int64_t output) const {
    return numbers<Number>(at + pixel * stride + output, weightSums + output) *
               (load<Number>(scales + output) * inputScale) +
           load<Number>(bias + output);
  }

 private:
  template <typename Number>
  JCS_INLINE Number numbers(const int32_t* sums, const int32_t* ofWeights) const {
    if constexpr (std::is_same_v<Number, float>) {
      return static_cast<float>(*sums - inputZero * *ofWeights);
    } else {
      using Integers = typename LanesOf<Number>::Flags;
      Integers x, w;
      std::memcpy(&x, sums, sizeof x);
      std::memcpy(&w, ofWeights, sizeof w);
      return __builtin_convertvector(Integers(x - inputZero * w), Number);
    }
  }
};

/// Residuals that are bytes; numbers are ResidualRows.
struct ResidualBytes {
  const uint8_t* data;
  int64_t stride;
  ByteCode code;

  template <typename Number>
  JCS_INLINE Number at(int64_t pixel, int64_t output) const {
    return loadBytes<Number>(data + pixel * stride + output, code);
  }
};

template <typename Y>
struct Results {
  Y* at;
  int64_t stride;

  template <typename Number>
  JCS_INLINE void put(int64_t pixel, int64_t output, const Number& value) const {
    store(at + pixel * stride + output, value);
  }
};

struct ByteResults {
  uint8_t* at;
  int64_t stride;
  ByteCode code;

  template <typename Number>
  JCS_INLINE void put(int64_t pixel, int64_t output, const Number& value) const {
    storeBytes(at + pixel * stride + output, value, code);
  }
};

/// y = act(sums + residual), pixel by pixel.
template <typename Y, typename Sums, typename Residual>
void storePixels(int64_t pixels, int64_t outputs, const Sums& sums, const Residual& residual, const Y& y,
                 Epilogue epilogue) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const auto sum = [&]<typename N>(As<N>, int64_t o) JCS_INLINE_LAMBDA -> N {
        if constexpr (std::is_same_v<Residual, NoResidual>)
          return sums.template get<N>(pixel, o);
        else
          return sums.template get<N>(pixel, o) + residual.template at<N>(pixel, o);
      };
      if (epilogue.sigmoid) {
        forEachBlock<L>(outputs, [&]<typename N>(As<N> as, int64_t o)
                                     JCS_INLINE_LAMBDA { y.template put<N>(pixel, o, sigmoidOf(sum(as, o))); });
      } else {
        forEachBlock<L>(outputs, [&]<typename N>(As<N> as, int64_t o) JCS_INLINE_LAMBDA {
          y.template put<N>(pixel, o, atLeast(sum(as, o), epilogue.low));
        });
      }
    }
  });
}

}  // namespace jcs::cpu
