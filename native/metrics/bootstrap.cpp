#include "metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/philox.h"
#include "metrics/quantile.h"

namespace jcs::metrics {

Resamples bootstrap(std::span<const size_t> groups, const BootstrapOptions& options,
                    const std::function<Metrics(std::span<const size_t>)>& statistic) {
  std::vector<std::vector<size_t>> members(groups.empty() ? 0 : *std::ranges::max_element(groups) + 1);
  for (size_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(i);
  const size_t population = std::max(options.population, members.size());
  if (population < 2) return {};
  Resamples values;
  std::vector<size_t> drawn;
  for (int64_t r = 0; r < options.resamples; ++r) {
    Philox random(options.seed, static_cast<uint32_t>(r), 0, RandomPurpose::kBootstrap);
    drawn.clear();
    for (size_t i = 0; i < population; ++i) {
      const size_t group = random.below(static_cast<uint32_t>(population));
      if (group < options.first || group - options.first >= members.size()) continue;
      const auto& items = members[group - options.first];
      drawn.insert(drawn.end(), items.begin(), items.end());
    }
    if (drawn.empty()) continue;
    for (const auto& [name, value] : statistic(drawn)) {
      auto& all = values[name];
      all.resize(static_cast<size_t>(options.resamples), std::numeric_limits<double>::quiet_NaN());
      all[static_cast<size_t>(r)] = value;
    }
  }
  return values;
}

Intervals intervalsOf(const Resamples& resamples, double confidence) {
  Intervals intervals;
  const double tail = (1 - confidence) / 2;
  for (const auto& [name, values] : resamples) {
    std::vector<double> sorted;
    std::ranges::copy_if(values, std::back_inserter(sorted), [](double value) { return !std::isnan(value); });
    if (sorted.empty()) continue;
    std::ranges::sort(sorted);
    intervals[name] = {quantile(sorted, tail), quantile(sorted, 1 - tail)};
  }
  return intervals;
}

}  // namespace jcs::metrics
