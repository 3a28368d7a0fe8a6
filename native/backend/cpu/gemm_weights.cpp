#include "backend/cpu/gemm_weights.h"

#include <algorithm>

#include "backend/cpu/vectorise.h"
#include "core/alignment.h"
#include "ops/quantized.h"

namespace jcs::cpu {

namespace {

/// Of a weight's place in a packed block: the weights of its outputs.
template <typename S>
JCS_INLINE Floats gather(const S* from, int64_t stride, int64_t count) {
  float numbers[kLanes] = {};
  for (int64_t lane = 0; lane < count; ++lane) numbers[lane] = load(from + lane * stride);
  return load<Floats>(numbers);
}

/// Groups [begin, end) of channels, which lie side by side, of one block of outputs. Outputs lie far apart in the
/// source, often by a multiple of the cache's sets: so few are read at a time that their lines stay until all is used.
template <typename P, typename S>
JCS_VECTORISED void packChannels(const S* source, const WeightStrides& at, int64_t outputs, const GemmWeights& weights,
                                 int64_t begin, int64_t end, P* packed) {
  using Words = Lanes<kLanes>::Words;
  constexpr int64_t kGroup = std::is_same_v<P, float> ? 1 : 2;
  for (int64_t o = 0; o < weights.outputsPerBlock; o += kLanes)
    for (int64_t i = begin; i < end; ++i)
      for (int64_t r = 0; r < weights.rows; ++r)
        for (int64_t s = 0; s < weights.columns; ++s) {
          const int64_t channel = i * kGroup, count = std::min(kLanes, outputs - o);
          const S* const from = source + o * at.output + channel * at.input + r * at.row + s * at.column;
          const int64_t depth = (r * weights.columns + s) * weights.paddedChannels + channel;
          P* const to = packed + depth * weights.outputsPerBlock + o * kGroup;
          const Floats first = gather(from, at.output, channel < weights.channels ? count : 0);
          if constexpr (kGroup == 1) {
            store(to, first);
          } else {
            const Floats second = gather(from + at.input, at.output, channel + 1 < weights.channels ? count : 0);
            const Words pairs = roundToBFloat16(bitsOf(first)) | roundToBFloat16(bitsOf(second)) << 16;
            std::memcpy(&to->bits, &pairs, sizeof pairs);
          }
        }
}

/// One output: its weights, rounded, every `stride` bytes of groups of four.
template <typename S>
void packOutput(const S* source, const WeightStrides& at, const GemmWeights& weights, int64_t stride, int8_t* packed,
                float& scale, int32_t& sum) {
  const auto forEach = [&](const auto& body) {
    for (int64_t r = 0; r < weights.rows; ++r)
      for (int64_t s = 0; s < weights.columns; ++s) {
        const S* const from = source + r * at.row + s * at.column;
        const int64_t first = (r * weights.columns + s) * weights.paddedChannels;
        for (int64_t i = 0; i < weights.channels; ++i) body(first + i, load(from + i * at.input));
      }
  };
  float largest = 0;
  forEach([&](int64_t, float w) { largest = std::max(largest, std::abs(w)); });
  scale = weightScale(largest);
  sum = 0;
  forEach([&](int64_t depth, float w) {
    const int8_t rounded = roundedWeight(w, scale);
    packed[depth / 4 * stride + depth % 4] = rounded;
    sum += rounded;
  });
}

}  // namespace

int64_t GemmWeights::blocks() const { return divideUp(outputs, outputsPerBlock); }

int64_t GemmWeights::outputsOf(int64_t block) const {
  return std::min(outputsPerBlock, outputs - block * outputsPerBlock);
}

int64_t GemmWeights::scalesOffset() const { return alignedUp(blocks() * blockBytes()); }

int64_t GemmWeights::sumsOffset() const { return scalesOffset() + alignedUp(blocks() * outputsPerBlock * 4); }

int64_t GemmWeights::bytes() const {
  return dtype == DType::kU8 ? sumsOffset() + alignedUp(blocks() * outputsPerBlock * 4) : blocks() * blockBytes();
}

const float* GemmWeights::scales(const std::byte* packed) const {
  return reinterpret_cast<const float*>(packed + scalesOffset());
}

const int32_t* GemmWeights::sums(const std::byte* packed) const {
  return reinterpret_cast<const int32_t*>(packed + sumsOffset());
}

void GemmWeights::pack(ThreadPool& pool, int threads, DType from, const std::byte* source, const WeightStrides& strides,
                       std::byte* packed) const {
  if (dtype == DType::kU8)
    packBytes(pool, threads, from, source, strides, packed);
  else
    packNumbers(pool, threads, from, source, strides, packed);
}

void GemmWeights::packNumbers(ThreadPool& pool, int threads, DType from, const std::byte* source,
                              const WeightStrides& strides, std::byte* packed) const {
  const int64_t groups = paddedChannels / depthGroup(dtype);
  pool.parallelFor(threads, blocks() * groups, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t at = begin; at < end;) {
      const int64_t block = at / groups, first = at % groups;
      const int64_t stop = std::min(groups, first + end - at);
      withElement(from, [&]<typename S>(S*) {
        withElement(dtype, [&]<typename P>(P*) {
          packChannels(reinterpret_cast<const S*>(source) + strides.origin + block * outputsPerBlock * strides.output,
                       strides, outputsOf(block), *this, first, stop,
                       reinterpret_cast<P*>(packed + block * blockBytes()));
        });
      });
      at += stop - first;
    }
  });
}

void GemmWeights::packBytes(ThreadPool& pool, int threads, DType from, const std::byte* source,
                            const WeightStrides& strides, std::byte* packed) const {
  std::fill_n(packed, bytes(), std::byte{0});
  auto* const scale = reinterpret_cast<float*>(packed + scalesOffset());
  auto* const sum = reinterpret_cast<int32_t*>(packed + sumsOffset());
  pool.parallelFor(threads, outputs, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t o = begin; o < end; ++o) {
      auto* const to = reinterpret_cast<int8_t*>(packed + o / outputsPerBlock * blockBytes()) + o % outputsPerBlock * 4;
      withElement(from, [&]<typename S>(S*) {
        packOutput(reinterpret_cast<const S*>(source) + strides.origin + o * strides.output, strides, *this,
                   outputsPerBlock * 4, to, scale[o], sum[o]);
      });
    }
  });
}

}  // namespace jcs::cpu
