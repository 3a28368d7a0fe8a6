#pragma once

#include <cstdint>

#include "backend/cpu/cpu_device.h"

namespace jcs::cpu {

/// Where weight (o, i, r, s) lies: at origin + o·output + i·input + r·row + s·column elements. Negative strides flip.
struct WeightStrides {
  int64_t origin = 0, output = 0, input = 0, row = 0, column = 0;
};

/// How many neighbours along the depth of a product lie side by side in its weights: what an instruction takes at once.
inline int64_t depthGroup(DType dtype) { return dtype == DType::kBF16 ? 2 : dtype == DType::kU8 ? 4 : 1; }

/// The weights of a convolution as matrix products by blocks of outputs read them: for each block, by row and column of
/// the kernel and by channel, a line of its outputs, in which groups of channels lie side by side. Missing channels and
/// outputs are zeros. For products of bytes the weights are rounded to signed ones (ops/quantized.h); behind them lie
/// what they are multiples of, and their sums, both by output.
struct GemmWeights {
  DType dtype = DType::kF32;  ///< of what they are multiplied by
  int64_t outputs = 0, outputsPerBlock = 0;
  int64_t channels = 0, paddedChannels = 0;
  int64_t rows = 1, columns = 1;  ///< of the kernel

  int64_t blocks() const;  ///< of outputs
  int64_t outputsOf(int64_t block) const;
  int64_t blockBytes() const { return rows * columns * paddedChannels * outputsPerBlock * sizeOf(dtype); }
  int64_t bytes() const;
  /// Of bytes, by output: what the rounded weights are multiples of, and their sums.
  const float* scales(const std::byte* packed) const;
  const int32_t* sums(const std::byte* packed) const;

  /// Of float32 or bf16.
  void pack(ThreadPool& pool, int threads, DType from, const std::byte* source, const WeightStrides& strides,
            std::byte* packed) const;

 private:
  int64_t scalesOffset() const;
  int64_t sumsOffset() const;
  void packNumbers(ThreadPool& pool, int threads, DType from, const std::byte* source, const WeightStrides& strides,
                   std::byte* packed) const;
  void packBytes(ThreadPool& pool, int threads, DType from, const std::byte* source, const WeightStrides& strides,
                 std::byte* packed) const;
};

}  // namespace jcs::cpu
