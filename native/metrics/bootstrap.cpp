#include "metrics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "metrics/quantile.h"

namespace jcs::metrics {

Intervals bootstrap(std::span<const size_t> groups, const BootstrapOptions& options,
                    const std::function<Metrics(std::span<const size_t>)>& statistic) {
  std::vector<std::vector<size_t>> members(groups.empty() ? 0 : *std::ranges::max_element(groups) + 1);
  for (size_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(i);
  if (members.size() < 2) return {};
  std::map<std::string, std::vector<double>> values;
  std::vector<size_t> drawn;
  for (int64_t r = 0; r < options.resamples; ++r) {
    Philox random(options.seed, static_cast<uint32_t>(r), 0, RandomPurpose::kBootstrap);
    drawn.clear();
    for (size_t i = 0; i < members.size(); ++i) {
      const auto& group = members[random.below(static_cast<uint32_t>(members.size()))];
      drawn.insert(drawn.end(), group.begin(), group.end());
    }
    for (const auto& [name, value] : statistic(drawn))
      if (!std::isnan(value)) values[name].push_back(value);
  }
  Intervals intervals;
  const double tail = (1 - options.confidence) / 2;
  for (auto& [name, sample] : values) {
    std::ranges::sort(sample);
    intervals[name] = {quantile(sample, tail), quantile(sample, 1 - tail)};
  }
  return intervals;
}

}  // namespace jcs::metrics
