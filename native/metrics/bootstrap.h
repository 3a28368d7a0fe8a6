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

struct BootstrapOptions {
  int64_t resamples = 1000;  ///< 0: no intervals
  uint64_t seed = 0;
  double confidence = 0.95;
};

/// Percentile intervals (Efron and Tibshirani, 1993, section 13.3) of what `statistic` gives for items that are drawn
/// with replacement, group by group: slices of one patient resemble each other. `groups` has the group of each item,
/// counted from 0; `statistic` gets the places of what was drawn. Percentiles are interpolated between resamples where
/// the metric is defined; what is defined in none has no interval, and fewer than two groups have none at all.
Intervals bootstrap(std::span<const size_t> groups, const BootstrapOptions& options,
                    const std::function<Metrics(std::span<const size_t>)>& statistic);

}  // namespace jcs::metrics
