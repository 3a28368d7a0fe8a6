#pragma once

#include <algorithm>

#include "backend/cuda/kernels/launcher.h"

namespace jcs::cuda {

/// How sums over rows, for each channel, are cut: the rows of a group into chunks, the channels into tiles. A block
/// sums one chunk of one tile; the chunks are then added up in order. Extents and the device alone decide, so that
/// results repeat.
struct ColumnCut {
  int64_t groups = 1, rows = 1;  ///< independent sums, and the rows of each
  int64_t channels = 1;
  int lanes = 1;       ///< channels of a thread
  int64_t width = 1;   ///< threads along the channels
  int64_t tiles = 1;   ///< of width · lanes channels
  int64_t height = 1;  ///< threads along the rows
  int64_t chunks = 1, chunkRows = 1;

  /// Rows of a chunk do not depend on the lanes, which alignment decides at run time: scratch does not either.
  static ColumnCut of(int64_t groups, int64_t rows, int64_t channels, int multiprocessors) {
    ColumnCut cut;
    cut.groups = groups;
    cut.rows = rows;
    cut.channels = channels;
    // Four blocks for every multiprocessor, of 16 rows at least for each thread, if a tile is 32 threads of 8 lanes.
    const int64_t tiles = std::max<int64_t>(1, channels / 256);
    const int64_t threadRows = std::max<int64_t>(1, kBlock * 4 / std::clamp<int64_t>(channels, 4, 128));
    const int64_t wanted = std::max<int64_t>(1, 4 * multiprocessors / std::max<int64_t>(1, groups * tiles));
    const int64_t most = std::max<int64_t>(1, rows / (16 * threadRows));
    cut.chunks = std::min(wanted, most);
    cut.chunkRows = std::max<int64_t>(1, (rows + cut.chunks - 1) / cut.chunks);
    cut.chunks = std::max<int64_t>(1, (rows + cut.chunkRows - 1) / cut.chunkRows);
    return cut;
  }

  ColumnCut withLanes(int count) const {
    ColumnCut cut = *this;
    cut.lanes = count;
    const int64_t threads = std::max<int64_t>(1, channels / count);
    cut.tiles = (threads + 31) / 32;
    cut.width = (threads + cut.tiles - 1) / cut.tiles;
    // No more rows of threads than there are rows: small cases need small blocks.
    cut.height = std::clamp<int64_t>(chunkRows, 1, kBlock / cut.width);
    return cut;
  }
  int64_t blocks() const { return groups * chunks * tiles; }
  int threads() const { return static_cast<int>(width * height); }
  int64_t partials(int sums) const { return groups * chunks * sums * channels; }
};

}  // namespace jcs::cuda
