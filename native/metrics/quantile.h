#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace jcs::metrics {

/// Linear between the two nearest, as numpy's quantile; `sorted` has at least one value, `share` is in [0, 1].
inline double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace jcs::metrics
