#pragma once

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

/// An element of a dtype that is known at run time only: the branch is the same in every thread.
__device__ inline float readElement(const void* data, DType dtype, int64_t i) {
  return dtype == DType::kBF16 ? toFloat(static_cast<const Bf16*>(data)[i]) : static_cast<const float*>(data)[i];
}
__device__ inline void writeElement(void* data, DType dtype, int64_t i, float value) {
  if (dtype == DType::kBF16) {
    static_cast<Bf16*>(data)[i] = fromFloat<Bf16>(value);
  } else {
    static_cast<float*>(data)[i] = value;
  }
}

/// Of a product C[m, n] = Σ_k A[m, k] · B[k, n], done for each of `batches`, k cut into `splits`.
struct ProductExtents {
  int64_t batches, m, n, k, splits;
};

constexpr int kProductSide = 16;   ///< a block has 16 × 16 threads
constexpr int kProductDepth = 16;  ///< of a step along k

/// Tiles of A and B in shared memory; a thread has TM × TN elements of C, 16 apart. A `Problem` says what A and B hold
/// and where C goes: `row(batch, m)` and `column(batch, n)` give what does not change along k, `a(row, k)` and
/// `b(column, k)` the elements, `store(batch, split, m, n, value)` takes the result; `kRowsInner` and `kColumnsInner`
/// say whether neighbours in memory follow m in A, n in B, or k.
template <typename Problem, int TM, int TN>
__global__ void __launch_bounds__(kBlock) productKernel(ProductExtents extents, Problem problem) {
  constexpr int kTileM = kProductSide * TM, kTileN = kProductSide * TN;
  constexpr int kPitchA = kTileM + 1, kPitchB = kTileN + 1;  // neighbours along k lie in other banks, too
  float* a = sharedMemory<float>();
  float* b = a + kProductDepth * kPitchA;
  const int thread = static_cast<int>(threadIdx.x), tx = thread % kProductSide, ty = thread / kProductSide;

  const int64_t tilesM = (extents.m + kTileM - 1) / kTileM, tilesN = (extents.n + kTileN - 1) / kTileN;
  int64_t rest = blockIdx.x;
  const int64_t firstN = rest % tilesN * kTileN;
  rest /= tilesN;
  const int64_t firstM = rest % tilesM * kTileM;
  rest /= tilesM;
  const int64_t batch = rest % extents.batches, split = rest / extents.batches;
  const int64_t depth = (extents.k + extents.splits - 1) / extents.splits;
  const int64_t begin = split * depth, end = begin + depth < extents.k ? begin + depth : extents.k;

  // Where this thread's i-th element of a tile lies.
  const auto rowAt = [&](int i) {
    return Problem::kRowsInner ? (thread + i * kBlock) % kTileM : (thread + i * kBlock) / kProductDepth;
  };
  const auto depthOfA = [&](int i) {
    return Problem::kRowsInner ? (thread + i * kBlock) / kTileM : (thread + i * kBlock) % kProductDepth;
  };
  const auto columnAt = [&](int i) {
    return Problem::kColumnsInner ? (thread + i * kBlock) % kTileN : (thread + i * kBlock) / kProductDepth;
  };
  const auto depthOfB = [&](int i) {
    return Problem::kColumnsInner ? (thread + i * kBlock) / kTileN : (thread + i * kBlock) % kProductDepth;
  };
  // Along the inner direction all of them lie in one row, or column: a tile's side divides the number of threads.
  constexpr int kRows = Problem::kRowsInner ? 1 : TM, kColumns = Problem::kColumnsInner ? 1 : TN;
  static_assert(kBlock % kTileM == 0 && kBlock % kTileN == 0);
  typename Problem::Row rows[kRows];
  typename Problem::Column columns[kColumns];
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int64_t m = firstM + rowAt(i);
    rows[i] = problem.row(batch, m < extents.m ? m : extents.m - 1);
  }
#pragma unroll
  for (int i = 0; i < kColumns; ++i) {
    const int64_t n = firstN + columnAt(i);
    columns[i] = problem.column(batch, n < extents.n ? n : extents.n - 1);
  }

  float sums[TM][TN] = {};
  for (int64_t k = begin; k < end; k += kProductDepth) {
#pragma unroll
    for (int i = 0; i < TM; ++i) {
      const int64_t at = k + depthOfA(i);
      a[depthOfA(i) * kPitchA + rowAt(i)] =
          at < end && firstM + rowAt(i) < extents.m ? problem.a(rows[i % kRows], at) : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < TN; ++i) {
      const int64_t at = k + depthOfB(i);
      b[depthOfB(i) * kPitchB + columnAt(i)] =
          at < end && firstN + columnAt(i) < extents.n ? problem.b(columns[i % kColumns], at) : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int d = 0; d < kProductDepth; ++d) {
      float left[TM], right[TN];
#pragma unroll
      for (int i = 0; i < TM; ++i) left[i] = a[d * kPitchA + ty + i * kProductSide];
#pragma unroll
      for (int j = 0; j < TN; ++j) right[j] = b[d * kPitchB + tx + j * kProductSide];
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) sums[i][j] += left[i] * right[j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const int64_t m = firstM + ty + i * kProductSide, n = firstN + tx + j * kProductSide;
      if (m < extents.m && n < extents.n) problem.store(batch, split, m, n, sums[i][j]);
    }
}

inline int64_t productTiles(const ProductExtents& e, int tm, int tn) {
  const int64_t m = kProductSide * tm, n = kProductSide * tn;
  return e.batches * ((e.m + m - 1) / m) * ((e.n + n - 1) / n);
}

template <typename Problem>
void product(const Launcher& launcher, const ProductExtents& e, const Problem& problem) {
  const auto start = [&](auto tm, auto tn) {
    constexpr int TM = decltype(tm)::value, TN = decltype(tn)::value;
    constexpr int64_t kSharedBytes = 4 * kProductDepth * (kProductSide * (TM + TN) + 2);
    launch(productKernel<Problem, TM, TN>, productTiles(e, TM, TN) * e.splits, kBlock, kSharedBytes, launcher, e,
           problem);
  };
  if (e.n <= kProductSide) {
    start(std::integral_constant<int, 4>(), std::integral_constant<int, 1>());
  } else {
    start(std::integral_constant<int, 4>(), std::integral_constant<int, 4>());
  }
}

}  // namespace jcs::cuda
