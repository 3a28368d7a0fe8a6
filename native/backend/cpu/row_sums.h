#pragma once

#include <algorithm>
#include <vector>

#include "backend/cpu/thread_pool.h"
#include "backend/cpu/vectorise.h"
#include "core/alignment.h"

namespace jcs::cpu {

JCS_VECTORISED inline void addBlockSums(int64_t count, const float* __restrict block, double* __restrict total) {
  for (int64_t c = 0; c < count; ++c) total[c] += block[c];
}

/// Sums over rows, K of them at once, for each of `channels` channels: the core of reductions, batch statistics and
/// bias gradients. Rows are cut into chunks for the threads, and chunks into blocks of kBlockRows, which are summed in
/// float32 and added up in float64: rounding errors are those of one block. The cut depends on the extents alone, so
/// that results do not depend on the number of threads.
class RowSums {
 public:
  /// `groups` independent sums over `rows` consecutive rows each.
  RowSums(int64_t groups, int64_t rows, int64_t channels, int sums)
      : groups_(groups), rows_(rows), channels_(channels), sums_(sums) {
    const int64_t wanted = std::clamp<int64_t>(rows * channels / 16384, 1, std::max<int64_t>(1, 64 / groups));
    chunkRows_ = std::max<int64_t>(1, (rows + wanted - 1) / wanted);
    chunks_ = std::max<int64_t>(1, (rows + chunkRows_ - 1) / chunkRows_);
  }

  static constexpr int64_t kBlockRows = 64;

  /// The chunks' totals, and one block's sums for each thread.
  int64_t scratchBytes(int threads) const {
    return alignedUp((groups_ * chunks_ * 8 + threads * 4) * sums_ * channels_);
  }

  /// `addBlock(firstRow, rows, sums)` adds that many rows to `sums`, K·channels floats; then `finish(group, totals)`
  /// gets each group's totals, K·channels doubles.
  template <typename AddBlock, typename Finish>
  void run(ThreadPool& pool, int threads, std::byte* scratch, AddBlock&& addBlock, Finish&& finish) const {
    const int64_t width = sums_ * channels_;
    double* partials = reinterpret_cast<double*>(scratch);
    float* blocks = reinterpret_cast<float*>(partials + groups_ * chunks_ * width);
    pool.parallelFor(threads, groups_ * chunks_, 1, [&](int64_t begin, int64_t end, int thread) {
      float* block = blocks + thread * width;
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i / chunks_, first = i % chunks_ * chunkRows_;
        const int64_t last = std::min(first + chunkRows_, rows_);
        double* total = partials + i * width;
        std::fill_n(total, width, 0.0);
        for (int64_t row = first; row < last; row += kBlockRows) {
          std::fill_n(block, width, 0.0f);
          addBlock(group * rows_ + row, std::min(kBlockRows, last - row), block);
          addBlockSums(width, block, total);
        }
      }
    });
    std::vector<double> totals(static_cast<size_t>(width));
    for (int64_t group = 0; group < groups_; ++group) {
      std::fill(totals.begin(), totals.end(), 0.0);
      for (int64_t chunk = 0; chunk < chunks_; ++chunk)
        for (int64_t c = 0; c < width; ++c)
          totals[static_cast<size_t>(c)] += partials[(group * chunks_ + chunk) * width + c];
      finish(group, totals.data());
    }
  }

 private:
  int64_t groups_, rows_, channels_, sums_;
  int64_t chunkRows_, chunks_;
};

/// sums[c] += Σ term(As<Number>(), row, c) over rows, four rows at a time.
template <typename L, typename Term>
JCS_INLINE void addTerms(int64_t rows, int64_t channels, float* sums, const Term& term) {
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4)
    mapLine<L>(sums, channels, [&]<typename N>(As<N> as, int64_t c) JCS_INLINE_LAMBDA -> N {
      return load<N>(sums + c) +
             ((term(as, row, c) + term(as, row + 1, c)) + (term(as, row + 2, c) + term(as, row + 3, c)));
    });
  for (; row < rows; ++row)
    mapLine<L>(sums, channels, [&]<typename N>(As<N> as, int64_t c) JCS_INLINE_LAMBDA -> N {
      return load<N>(sums + c) + term(as, row, c);
    });
}

/// sums[c] += Σ x[row, c].
template <typename T>
void addRows(int64_t rows, int64_t channels, const T* x, int64_t stride, float* sums) {
  vectorised([=]<typename L>(L) JCS_INLINE_LAMBDA {
    addTerms<L>(rows, channels, sums, [&]<typename N>(As<N>, int64_t row, int64_t c) JCS_INLINE_LAMBDA -> N {
      return load<N>(x + row * stride + c);
    });
  });
}

}  // namespace jcs::cpu
