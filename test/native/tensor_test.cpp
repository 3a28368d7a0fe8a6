#include "core/tensor.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "native/harness.h"

namespace jcs {

namespace {

uint16_t bitsOf(float value) { return BFloat16(value).bits; }
float fromBits(uint32_t bits) { return std::bit_cast<float>(bits); }

}  // namespace

TEST("a shape counts elements, rows and channels") {
  const Shape shape{2, 3, 5, 7};
  CHECK_EQUAL(shape.rank(), 4);
  CHECK_EQUAL(shape.elements(), 210);
  CHECK_EQUAL(shape.channels(), 7);
  CHECK_EQUAL(shape.rows(), 30);
  CHECK_EQUAL(shape.toString(), "[2, 3, 5, 7]");
}

TEST("a scalar has rank 0, one element, one row and one channel") {
  const Shape scalar;
  CHECK_EQUAL(scalar.rank(), 0);
  CHECK_EQUAL(scalar.elements(), 1);
  CHECK_EQUAL(scalar.rows(), 1);
  CHECK_EQUAL(scalar.channels(), 1);
}

TEST("an empty shape has no elements and no rows") {
  CHECK_EQUAL((Shape{3, 0}).elements(), 0);
  CHECK_EQUAL((Shape{3, 0}).rows(), 0);
}

TEST("shapes are equal by rank and extents") {
  CHECK((Shape{2, 3} == Shape{2, 3}));
  CHECK((Shape{2, 3} != Shape{3, 2}));
  CHECK((Shape{2} != Shape{2, 1}));
}

TEST("a shape whose elements overflow 64 bits is INPUT_TOO_LARGE") {
  const int64_t huge = int64_t{1} << 32;
  CHECK_ERROR(([&] { Shape({huge, huge}).elements(); }), errors::kInputTooLarge, "[4294967296, 4294967296]");
  CHECK_EQUAL((Shape{huge, huge / 4}).elements(), int64_t{1} << 62);
}

TEST("negative extents and more than four dimensions are SHAPE_MISMATCH") {
  CHECK_ERROR(([] { Shape({2, -1}); }), errors::kShapeMismatch, "negative");
  CHECK_ERROR(([] { Shape({1, 1, 1, 1, 1}); }), errors::kShapeMismatch, "at most 4", "5");
}

TEST("bfloat16 rounds to nearest, ties to even") {
  CHECK_EQUAL(bitsOf(1.0f), 0x3f80);
  CHECK_EQUAL(bitsOf(fromBits(0x3f807fffu)), 0x3f80);  // below half a unit
  CHECK_EQUAL(bitsOf(fromBits(0x3f808000u)), 0x3f80);  // a tie, down to the even
  CHECK_EQUAL(bitsOf(fromBits(0x3f808001u)), 0x3f81);  // above half
  CHECK_EQUAL(bitsOf(fromBits(0x3f818000u)), 0x3f82);  // a tie, up to the even
  CHECK_EQUAL(bitsOf(fromBits(0x3fffffffu)), 0x4000);  // carries into the exponent
  CHECK_EQUAL(bitsOf(-fromBits(0x3f818000u)), 0xbf82);
}

TEST("bfloat16 keeps zeros, infinities and NaN, and overflows to infinity") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK_EQUAL(bitsOf(0.0f), 0x0000);
  CHECK_EQUAL(bitsOf(-0.0f), 0x8000);
  CHECK_EQUAL(bitsOf(infinity), 0x7f80);
  CHECK_EQUAL(bitsOf(-infinity), 0xff80);
  CHECK_EQUAL(bitsOf(std::numeric_limits<float>::max()), 0x7f80);
  // A NaN whose payload is all in the lower half must not become an infinity.
  CHECK(std::isnan(static_cast<float>(BFloat16(fromBits(0x7f800001u)))));
  CHECK(std::isnan(static_cast<float>(BFloat16(fromBits(0xffffffffu)))));
}

TEST("every bfloat16 survives the way to float32 and back") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    BFloat16 value;
    value.bits = static_cast<uint16_t>(bits);
    const float wide = static_cast<float>(value);
    if (std::isnan(wide)) continue;
    CHECK_EQUAL(BFloat16(wide).bits, value.bits);
  }
}

TEST("tensors convert between dtypes element by element") {
  const std::array<float, 4> values{1.0f, -2.5f, 3.00390625f, 1e-3f};
  const Tensor tensor = Tensor::fromFloats({2, 2}, values);
  const Tensor wide = tensor.to(DType::kF64);
  const Tensor narrow = tensor.to(DType::kBF16);
  CHECK_EQUAL(wide.as<double>()[3], static_cast<double>(1e-3f));
  CHECK_EQUAL(static_cast<float>(narrow.as<BFloat16>()[1]), -2.5f);
  CHECK_EQUAL(static_cast<float>(narrow.as<BFloat16>()[2]), 3.0f);  // 8 bits: 3.0039 is a quarter unit above 3
  CHECK_EQUAL(narrow.bytes(), 8);
  CHECK_EQUAL(wide.to(DType::kF32).as<float>()[3], 1e-3f);
}

TEST("a tensor read as another dtype is an internal error") {
  Tensor tensor = Tensor::zeros(DType::kBF16, {3});
  CHECK_ERROR([&] { tensor.as<float>(); }, errors::kInternal, "dtype");
}

TEST("a count of values that does not fit the shape is SHAPE_MISMATCH with both numbers") {
  const std::array<float, 3> values{1, 2, 3};
  CHECK_ERROR(([&] { Tensor::fromFloats({2, 2}, values); }), errors::kShapeMismatch, "[2, 2]", "4", "3");
}

TEST("memory that the system refuses is OUT_OF_MEMORY with the size") {
  CHECK_ERROR(([] { HostBuffer(int64_t{1} << 60); }), errors::kOutOfMemory, "1152921504606846976");
}

TEST("host memory is aligned to 64 bytes, also when empty") {
  for (int64_t bytes : {0, 1, 63, 64, 1000})
    CHECK_EQUAL(reinterpret_cast<uintptr_t>(HostBuffer(bytes).data()) % 64, uintptr_t{0});
}

TEST("NCHW becomes NHWC and comes back") {
  std::array<float, 2 * 3 * 2 * 2> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor nchw = Tensor::fromFloats({2, 3, 2, 2}, values);
  const Tensor nhwc = channelsLast(nchw);
  CHECK((nhwc.shape() == Shape{2, 2, 2, 3}));
  // Sample 0, pixel (0, 0): its three channels lie a plane of four apart in NCHW.
  CHECK_EQUAL(nhwc.as<float>()[0], 0.0f);
  CHECK_EQUAL(nhwc.as<float>()[1], 4.0f);
  CHECK_EQUAL(nhwc.as<float>()[2], 8.0f);
  CHECK_EQUAL(nhwc.as<float>()[3], 1.0f);
  const Tensor back = channelsFirst(nhwc);
  CHECK((back.shape() == nchw.shape()));
  for (size_t i = 0; i < values.size(); ++i) CHECK_EQUAL(back.as<float>()[i], values[i]);
}

}  // namespace jcs
