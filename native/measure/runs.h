#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace jcs::measure {

/// Pixels of a mask that lie side by side in a row: columns [begin, end).
struct Run {
  int64_t row, begin, end;

  int64_t pixels() const { return end - begin; }
};

/// A mask as its runs, in reading order. Most masks are few runs, so what is done with those takes little time.
class MaskRuns {
 public:
  MaskRuns() = default;
  /// Of a mask of height × width, nonzero = inside. SHAPE_MISMATCH when it has another size.
  MaskRuns(std::span<const uint8_t> mask, int64_t width, int64_t height);

  size_t size() const { return runs_.size(); }
  const Run& operator[](size_t i) const { return runs_[i]; }
  /// Indices of the runs of a row: [first, second). None of a row that does not exist.
  std::pair<size_t, size_t> ofRow(int64_t row) const;
  int64_t pixels() const;
  /// What is in both, of masks of one size.
  MaskRuns intersection(const MaskRuns& other) const;

  auto begin() const { return runs_.begin(); }
  auto end() const { return runs_.end(); }

 private:
  std::vector<Run> runs_;
  std::vector<size_t> rows_;  ///< where the runs of each row begin, and behind the last one
};

/// What counts as touching: pixels with a common edge (of voxels a face), or with a common corner too.
enum class Connectivity { kFaces, kCorners };

/// The connected components of the runs of some slices, numbered from 0 in the order of their first runs.
class Components {
 public:
  /// `slices`: one lies on the next.
  Components(std::span<const MaskRuns> slices, Connectivity connectivity);

  size_t count() const { return count_; }
  size_t of(size_t slice, size_t run) const { return labels_[first_[slice] + run]; }

 private:
  std::vector<size_t> first_;   ///< of a slice's runs among all
  std::vector<size_t> labels_;  ///< by run
  size_t count_ = 0;
};

}  // namespace jcs::measure
