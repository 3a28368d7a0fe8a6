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

/// Steps of a byte from its zero: ties are rounded to even before that is added; a NaN becomes 0.
template <typename Number>
JCS_INLINE void storeSteps(uint8_t* p, Number steps, const ByteCode& code) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer, kept in the low bits
  steps = steps > -code.zero ? steps : Number{} - code.zero;
  steps = steps < 255.0f - code.zero ? steps : Number{} + (255.0f - code.zero);
  const auto bits = bitsOf(Number(steps + kRound)) + code.zeroByte;
  if constexpr (std::is_same_v<Number, float>) {
    *p = static_cast<uint8_t>(bits);
  } else {
    const auto bytes = __builtin_convertvector(bits, typename LanesOf<Number>::Bytes);
    std::memcpy(p, &bytes, sizeof bytes);
  }
}

template <typename Number>
JCS_INLINE void storeBytes(uint8_t* p, const Number& x, const ByteCode& code) {
  storeSteps(p, Number(x * code.inverse), code);
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

/// What the sums of an output are brought to numbers by, or to the steps of bytes: (sum − zeros) · factor + offset.
/// Each run prepares them, of its weights' and the bias.
struct OutputScales {
  const float* factors = nullptr;
  const float* offsets = nullptr;
  const int32_t* zeros = nullptr;  ///< what the input's zero has added to the sums

  OutputScales from(int64_t output) const { return {factors + output, offsets + output, zeros + output}; }
};

/// Sums of products of bytes by rounded weights.
struct ByteSums {
  const int32_t* at;
  int64_t stride;
  OutputScales scales;

  template <typename Number>
  JCS_INLINE Number get(int64_t pixel, int64_t output) const {
    return numbers<Number>(at + pixel * stride + output, scales.zeros + output) *
               load<Number>(scales.factors + output) +
           load<Number>(scales.offsets + output);
  }

 private:
  template <typename Number>
  JCS_INLINE Number numbers(const int32_t* sums, const int32_t* ofZeros) const {
    if constexpr (std::is_same_v<Number, float>) {
      return static_cast<float>(*sums - *ofZeros);
    } else {
      using Integers = typename LanesOf<Number>::Flags;
      Integers x, w;
      std::memcpy(&x, sums, sizeof x);
      std::memcpy(&w, ofZeros, sizeof w);
      return __builtin_convertvector(Integers(x - w), Number);
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

/// Residuals that are numbers, in steps of the result.
template <typename T>
struct ScaledRows {
  ResidualRows<T> rows;
  float scale;

  template <typename Number>
  JCS_INLINE Number at(int64_t pixel, int64_t output) const {
    return rows.template at<Number>(pixel, output) * scale;
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

/// Bytes of numbers, or of what is in their steps already.
template <bool kInSteps>
struct ByteResults {
  uint8_t* at;
  int64_t stride;
  ByteCode code;

  template <typename Number>
  JCS_INLINE void put(int64_t pixel, int64_t output, const Number& value) const {
    uint8_t* const p = at + pixel * stride + output;
    if constexpr (kInSteps)
      storeSteps(p, value, code);
    else
      storeBytes(p, value, code);
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
