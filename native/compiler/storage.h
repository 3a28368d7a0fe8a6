#pragma once

#include <vector>

#include "backend/backend.h"
#include "graph/graph.h"

namespace jcs {

/// Where a value's elements lie: `offset` elements into the memory of `root` (a value that owns memory), rows
/// `rowStride` elements apart.
struct Placement {
  int root = -1;
  int64_t offset = 0;
  int64_t rowStride = 0;
};

/// Decides which values own memory and which are views:
/// - a channel slice is a view of its source when all its readers take a row stride;
/// - a concat's input is written straight into the result when its producer and its other readers take a row stride;
/// - a reshape of a dense value is that value.
/// Whatever is left is copied by a step of its own; `copiedBytes` says how much that is per run.
struct StoragePlan {
  std::vector<Placement> placements;  ///< by value id
  std::vector<char> isView;           ///< by node id: slice or reshape that needs no step
  /// by node id, concat only: which inputs are already in place
  std::vector<std::vector<char>> inPlace;
  int64_t copiedBytes = 0;
};
StoragePlan planStorage(const Graph& graph, const Backend& backend);

/// Offsets of buffers in one arena such that buffers alive at the same time do not overlap.
struct BufferLifetime {
  int64_t bytes;
  int first, last;  ///< steps, both included
};
struct ArenaPlan {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
};
ArenaPlan planArena(const std::vector<BufferLifetime>& buffers);

}  // namespace jcs
