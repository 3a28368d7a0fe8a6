#include "measure/runs.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"

namespace jcs::measure {

namespace {

/// Union-find; the root of a component is its first member.
class Sets {
 public:
  explicit Sets(size_t count) : parents_(count) { std::iota(parents_.begin(), parents_.end(), size_t{0}); }

  size_t root(size_t i) {
    while (parents_[i] != i) i = parents_[i] = parents_[parents_[i]];
    return i;
  }
  void join(size_t a, size_t b) {
    a = root(a);
    b = root(b);
    parents_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<size_t> parents_;
};

/// Joins the runs of a row with those of another one that touch them; `reach`: how far apart touching columns may be.
/// Both are in order of columns, so each run is passed once.
void joinRows(const MaskRuns& a, std::pair<size_t, size_t> rowA, size_t firstA, const MaskRuns& b,
              std::pair<size_t, size_t> rowB, size_t firstB, int64_t reach, Sets& sets) {
  size_t i = rowA.first;
  for (size_t k = rowB.first; k < rowB.second; ++k) {
    while (i < rowA.second && a[i].end + reach <= b[k].begin) ++i;
    for (size_t j = i; j < rowA.second && a[j].begin < b[k].end + reach; ++j) sets.join(firstA + j, firstB + k);
  }
}

}  // namespace

MaskRuns::MaskRuns(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  require(width >= 0 && height >= 0 && mask.size() == static_cast<size_t>(width) * static_cast<size_t>(height),
          errors::kShapeMismatch, [&] {
            return "a mask of " + std::to_string(width) + "×" + std::to_string(height) + " pixels has " +
                   std::to_string(mask.size()) + " values";
          });
  rows_.reserve(static_cast<size_t>(height) + 1);
  for (int64_t y = 0; y < height; ++y) {
    rows_.push_back(runs_.size());
    const uint8_t* row = mask.data() + y * width;
    for (int64_t x = 0; x < width; ++x) {
      if (!row[x]) continue;
      const int64_t begin = x;
      while (x < width && row[x]) ++x;
      runs_.push_back({y, begin, x});
    }
  }
  rows_.push_back(runs_.size());
}

std::pair<size_t, size_t> MaskRuns::ofRow(int64_t row) const {
  if (row < 0 || row + 1 >= std::ssize(rows_)) return {0, 0};
  return {rows_[static_cast<size_t>(row)], rows_[static_cast<size_t>(row) + 1]};
}

int64_t MaskRuns::pixels() const {
  return std::accumulate(runs_.begin(), runs_.end(), int64_t{0},
                         [](int64_t sum, const Run& run) { return sum + run.pixels(); });
}

MaskRuns MaskRuns::intersection(const MaskRuns& other) const {
  MaskRuns both;
  for (int64_t row = 0; row + 1 < std::ssize(rows_); ++row) {
    both.rows_.push_back(both.runs_.size());
    auto [i, end] = ofRow(row);
    auto [j, otherEnd] = other.ofRow(row);
    while (i < end && j < otherEnd) {
      const Run &a = runs_[i], &b = other.runs_[j];
      const int64_t begin = std::max(a.begin, b.begin), until = std::min(a.end, b.end);
      if (begin < until) both.runs_.push_back({row, begin, until});
      a.end < b.end ? ++i : ++j;
    }
  }
  both.rows_.push_back(both.runs_.size());
  return both;
}

Components::Components(std::span<const MaskRuns> slices, Connectivity connectivity) {
  size_t total = 0;
  for (const MaskRuns& slice : slices) {
    first_.push_back(total);
    total += slice.size();
  }
  Sets sets(total);
  const int64_t reach = connectivity == Connectivity::kCorners ? 1 : 0;
  for (size_t s = 0; s < slices.size(); ++s) {
    const MaskRuns& slice = slices[s];
    for (size_t i = 0; i < slice.size(); i = slice.ofRow(slice[i].row).second) {
      const int64_t row = slice[i].row;
      const auto here = slice.ofRow(row);
      joinRows(slice, slice.ofRow(row - 1), first_[s], slice, here, first_[s], reach, sets);
      if (s == 0) continue;
      for (int64_t below = row - reach; below <= row + reach; ++below)
        joinRows(slices[s - 1], slices[s - 1].ofRow(below), first_[s - 1], slice, here, first_[s], reach, sets);
    }
  }
  labels_.resize(total);
  for (size_t i = 0; i < total; ++i) {
    const size_t root = sets.root(i);
    labels_[i] = root == i ? count_++ : labels_[root];
  }
}

}  // namespace jcs::measure
