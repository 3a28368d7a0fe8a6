#pragma once

#include <functional>
#include <span>
#include <vector>

#include "metrics/metrics.h"

namespace jcs::metrics {

struct Interval {
  double low, high;
};
using Intervals = std::map<std::string, Interval>;

/// Each metric of what was drawn, resample by resample; NaN where it is not defined.
using Resamples = std::map<std::string, std::vector<double>>;

struct BootstrapOptions {
  int64_t resamples = 1000;  ///< 0: none
  uint64_t seed = 0;
  /// Where the groups are a part of more, those from `first` on of `population`: so many are drawn from all of these,
  /// and what a part gets of them depends on no other part. Resamples of all parts are of the same draws then.
  size_t first = 0, population = 0;
};

/// What `statistic` gives for items that are drawn with replacement, group by group: slices of one patient resemble
/// each other. `groups` has the group of each item, counted from 0; `statistic` gets the places of what was drawn, and
/// is not asked where that is nothing. A population of fewer than two groups has no resamples.
Resamples bootstrap(std::span<const size_t> groups, const BootstrapOptions& options,
                    const std::function<Metrics(std::span<const size_t>)>& statistic);

/// Percentile intervals (Efron and Tibshirani, 1993, section 13.3), interpolated between the resamples where the metric
/// is defined; what is defined in none has no interval.
Intervals intervalsOf(const Resamples& resamples, double confidence = 0.95);

}  // namespace jcs::metrics
