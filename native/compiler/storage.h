#pragma once

#include <limits>
#include <vector>

#include "backend/backend.h"
#include "graph/graph.h"

namespace jcs::compiler {

/// What kind of memory a root has.
enum class Region {
  kArena,      ///< the caller's, for the time of a run
  kConstants,  ///< the program's
  kDerived,    ///< kept when a step reads the value as it is; else the arena's, until the inputs arrive
  kState,      ///< the model's
};
Region regionOf(const Graph& graph, const PerValue<bool>& derived, ValueId root);

/// Where a value's elements lie: `offset` elements into the memory of `root` (a value that owns memory), rows
/// `rowStride` elements apart.
struct Placement {
  ValueId root{};
  int64_t offset = 0;
  int64_t rowStride = 0;
};

/// Decides which values own memory and which are views:
/// - a channel slice is a view of its source when all its readers take a row stride;
/// - a concat's input is written straight into the result when its producer and its other readers take a row stride;
/// - a reshape of a dense value is that value.
/// Whatever is left is copied by a step of its own; `copiedBytes` says how much that is per run.
struct StoragePlan {
  PerValue<Placement> placements;
  PerNode<bool> isView;                  ///< a slice or reshape that needs no step
  PerNode<std::vector<bool>> isInPlace;  ///< of a concat: which inputs are in place already
  int64_t copiedBytes = 0;
};
StoragePlan planStorage(const Graph& graph, const PerValue<bool>& derived, const Backend& backend);

/// The times at which memory is in use, first and last included; at first never.
struct Lifetime {
  int first = std::numeric_limits<int>::max(), last = std::numeric_limits<int>::min();

  bool isEmpty() const { return last < first; }
};

/// Offsets of buffers in one arena such that buffers alive at the same time do not overlap.
struct ArenaBuffer {
  int64_t bytes;
  Lifetime lifetime;
};
struct ArenaPlan {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
};
ArenaPlan planArena(const std::vector<ArenaBuffer>& buffers);

}  // namespace jcs::compiler
