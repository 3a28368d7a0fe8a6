#include <vector>

#include "backend/cuda/kernels/conv2d.h"
#include "cuda_emulation/emulation.h"
#include "native/harness.h"

/// What stands between our operands and cuDNN's, on the emulated kernels. cuDNN itself needs a GPU.

using namespace jcs;
using namespace jcs::cuda;

namespace {

Launcher launcher() {
  static cuda_emulation::Stream stream{cuda_emulation::Order::kForward};
  return {&stream, 4};
}

/// Distinct numbers that bf16 holds exactly.
std::vector<float> numbers(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i % 251 - 125));
  return values;
}

template <typename T>
std::vector<T> as(const std::vector<float>& values) {
  return std::vector<T>(values.begin(), values.end());
}

template <typename T>
void checkWeights(DType dtype) {
  const WeightLayout layout{5, 3, 9, 8, 16, dtype};
  const std::vector<float> weights = numbers(5 * 3 * 9);
  std::vector<T> packed(static_cast<size_t>(layout.packedBytes()) / sizeof(T), T(99.0f));
  packWeights(launcher(), layout, weights.data(), packed.data());
  for (int64_t o = 0; o < 8; ++o)
    for (int64_t tap = 0; tap < 9; ++tap)
      for (int64_t i = 0; i < 16; ++i) {
        const float expected = o < 5 && i < 3 ? weights[static_cast<size_t>((o * 3 + i) * 9 + tap)] : 0.0f;
        CHECK_EQUAL(static_cast<float>(packed[static_cast<size_t>((o * 9 + tap) * 16 + i)]), expected);
      }
  std::vector<float> back(weights.size());
  unpackWeights(launcher(), layout, packed.data(), back.data());
  CHECK(back == weights);
}

template <typename T>
void checkPadding(DType dtype, int64_t channels, int64_t stride, int64_t padded) {
  constexpr int64_t kRows = 7;
  const std::vector<T> x = as<T>(numbers(kRows * stride));
  std::vector<T> y(static_cast<size_t>(kRows * padded), T(99.0f));
  padRows(launcher(), {kRows, channels, stride, padded, dtype}, x.data(), y.data());
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t c = 0; c < padded; ++c) {
      const float expected = c < channels ? static_cast<float>(x[static_cast<size_t>(row * stride + c)]) : 0.0f;
      CHECK_EQUAL(static_cast<float>(y[static_cast<size_t>(row * padded + c)]), expected);
    }
}

template <typename T>
void checkFinish(DType dtype, int64_t channels, int64_t xStride, int64_t yStride, bool biased, bool residual) {
  constexpr int64_t kRows = 6;
  const std::vector<T> x = as<T>(numbers(kRows * xStride)), r = as<T>(numbers(kRows * yStride));
  const std::vector<float> bias = numbers(channels);
  std::vector<T> y(static_cast<size_t>(kRows * yStride), T(99.0f));
  const FinishRows f{kRows, channels, dtype, dtype, xStride, yStride, yStride, Activation::kRelu};
  finishRows(launcher(), f, x.data(), biased ? bias.data() : nullptr, residual ? r.data() : nullptr, y.data());
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t c = 0; c < yStride; ++c) {
      float expected = 99.0f;
      if (c < channels) {
        expected = static_cast<float>(x[static_cast<size_t>(row * xStride + c)]);
        if (biased) expected += bias[static_cast<size_t>(c)];
        if (residual) expected += static_cast<float>(r[static_cast<size_t>(row * yStride + c)]);
        expected = static_cast<float>(T(std::max(expected, 0.0f)));
      }
      CHECK_EQUAL(static_cast<float>(y[static_cast<size_t>(row * yStride + c)]), expected);
    }
}

}  // namespace

TEST("convolution weights are laid out for cuDNN, padded with zeros, and gradients come back") {
  checkWeights<float>(DType::kF32);
  checkWeights<BFloat16>(DType::kBF16);
}

TEST("channels are padded to what tensor cores want") {
  checkPadding<BFloat16>(DType::kBF16, 26, 104, 32);
  checkPadding<BFloat16>(DType::kBF16, 3, 3, 8);
  checkPadding<BFloat16>(DType::kBF16, 16, 21, 16);
  checkPadding<float>(DType::kF32, 3, 8, 4);
}

TEST("what a convolution does to its sums can be done after it") {
  for (const bool biased : {false, true})
    for (const bool residual : {false, true}) {
      checkFinish<BFloat16>(DType::kBF16, 26, 32, 104, biased, residual);
      checkFinish<BFloat16>(DType::kBF16, 64, 64, 64, biased, residual);
      checkFinish<float>(DType::kF32, 5, 8, 7, biased, residual);
    }
}
