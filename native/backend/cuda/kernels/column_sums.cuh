#pragma once

#include "backend/cuda/kernels/column_sums.h"
#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

/// K sums per channel over the rows of a chunk. `Term` says what is summed: `Term::at(channel)` gives what does not
/// change along the rows, and its `add(row, sums)` one row's terms. `partials` is groups × chunks × K × channels.
template <int K, int V, typename Sum, typename Term>
__global__ void __launch_bounds__(kBlock) columnSums(ColumnCut cut, Term term, Sum* partials) {
  const int thread = static_cast<int>(threadIdx.x), width = static_cast<int>(cut.width);
  const int x = thread % width, y = thread / width, threads = static_cast<int>(blockDim.x);
  const int64_t tile = blockIdx.x % cut.tiles, part = blockIdx.x / cut.tiles;
  const int64_t group = part / cut.chunks, chunk = part % cut.chunks;
  const int64_t channel = (tile * width + x) * V;
  const int64_t begin = chunk * cut.chunkRows;
  const int64_t end = begin + cut.chunkRows < cut.rows ? begin + cut.chunkRows : cut.rows;

  Sum sums[K][V];
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int v = 0; v < V; ++v) sums[k][v] = 0;
  if (channel < cut.channels) {
    const auto column = term.at(channel);
#pragma unroll 4
    for (int64_t row = begin + y; row < end; row += cut.height) column.add(group * cut.rows + row, sums);
  }

  // Neighbouring threads lie in neighbouring banks.
  Sum* shared = sharedMemory<Sum>();
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int v = 0; v < V; ++v) shared[(k * V + v) * threads + thread] = sums[k][v];
  int height = static_cast<int>(cut.height);
  while (height > 1) {
    const int half = (height + 1) / 2;
    __syncthreads();
    if (y < height - half) {
#pragma unroll
      for (int i = 0; i < K * V; ++i) shared[i * threads + thread] += shared[i * threads + thread + half * width];
    }
    height = half;
  }
  if (y > 0 || channel >= cut.channels) return;
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int v = 0; v < V; ++v)
      partials[(part * K + k) * cut.channels + channel + v] = shared[(k * V + v) * threads + thread];
}

constexpr int kFinishColumns = 32, kFinishRows = 16;

/// Adds up the chunks, in float64, for 32 channels a block; `finish(group, channel, totals)` gets the K totals.
template <int K, typename Sum, typename Finish>
__global__ void __launch_bounds__(kFinishColumns* kFinishRows)
    finishColumns(ColumnCut cut, const Sum* partials, Finish finish) {
  const int x = static_cast<int>(threadIdx.x) % kFinishColumns, y = static_cast<int>(threadIdx.x) / kFinishColumns;
  const int rows = static_cast<int>(blockDim.x) / kFinishColumns;
  const int64_t tiles = (cut.channels + kFinishColumns - 1) / kFinishColumns;
  const int64_t group = blockIdx.x / tiles, channel = blockIdx.x % tiles * kFinishColumns + x;
  double totals[K];
#pragma unroll
  for (int k = 0; k < K; ++k) totals[k] = 0;
  if (channel < cut.channels) {
#pragma unroll 8
    for (int64_t chunk = y; chunk < cut.chunks; chunk += rows)
#pragma unroll
      for (int k = 0; k < K; ++k)
        totals[k] += static_cast<double>(partials[((group * cut.chunks + chunk) * K + k) * cut.channels + channel]);
  }
  if (rows > 1) {
    double* shared = sharedMemory<double>();
#pragma unroll
    for (int k = 0; k < K; ++k) shared[(k * rows + y) * kFinishColumns + x] = totals[k];
    __syncthreads();
    for (int other = 1; y == 0 && other < rows; ++other)
#pragma unroll
      for (int k = 0; k < K; ++k) totals[k] += shared[(k * rows + other) * kFinishColumns + x];
  }
  if (y == 0 && channel < cut.channels) finish(group, channel, totals);
}

/// Both passes.
template <int K, int V, typename Sum, typename Term, typename Finish>
void sumColumns(const Launcher& launcher, const ColumnCut& uncut, const Term& term, Sum* partials,
                const Finish& finish) {
  if (uncut.channels == 0 || uncut.groups == 0) return;
  const ColumnCut cut = uncut.withLanes(V);
  launch(columnSums<K, V, Sum, Term>, cut.blocks(), cut.threads(),
         static_cast<int64_t>(sizeof(Sum)) * K * V * cut.threads(), launcher, cut, term, partials);
  const int rows = static_cast<int>(std::min<int64_t>(cut.chunks, kFinishRows));
  const int64_t tiles = (cut.channels + kFinishColumns - 1) / kFinishColumns;
  launch(finishColumns<K, Sum, Finish>, cut.groups * tiles, kFinishColumns * rows,
         static_cast<int64_t>(sizeof(double)) * K * kFinishColumns * rows, launcher, cut,
         static_cast<const Sum*>(partials), finish);
}

}  // namespace jcs::cuda
