#include "backend/cpu/processor.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <optional>
#include <sstream>
#include <thread>

namespace jcs::cpu {

namespace {

namespace fs = std::filesystem;

/// The folders of this process's cgroup and of its ancestors, innermost first; limits of each apply. Version 2 has one
/// hierarchy, version 1 one per controller.
std::vector<fs::path> cgroupFolders(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  std::vector<fs::path> folders;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && ("," + controllers + ",").find("," + controller + ",") == std::string::npos) continue;
    const fs::path root = unified ? fs::path("/sys/fs/cgroup") : fs::path("/sys/fs/cgroup") / controller;
    fs::path path = fs::path(line.substr(second + 1)).relative_path();
    for (; !path.empty(); path = path.parent_path()) folders.push_back(root / path);
    folders.push_back(root);
  }
  return folders;
}

std::optional<std::string> firstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  return file && std::getline(file, line) ? std::optional(line) : std::nullopt;
}

std::optional<double> number(const fs::path& path) {
  const auto line = firstLine(path);
  if (!line || line->empty() || line->starts_with("max")) return std::nullopt;
  const double value = std::strtod(line->c_str(), nullptr);
  // Version 1 writes "no limit" as the largest multiple of the page size.
  return value < 0 || value > 1e18 ? std::nullopt : std::optional(value);
}

/// The smallest CPU quota, in processors.
std::optional<double> cpuQuota() {
  std::optional<double> quota;
  const auto consider = [&](double processors) { quota = std::min(quota.value_or(processors), processors); };
  for (const fs::path& folder : cgroupFolders("cpu")) {
    if (const auto line = firstLine(folder / "cpu.max")) {
      double limit = 0, period = 0;
      if (std::istringstream(*line) >> limit >> period && limit > 0 && period > 0) consider(limit / period);
    }
    const auto limit = number(folder / "cpu.cfs_quota_us"), period = number(folder / "cpu.cfs_period_us");
    if (limit && period && *period > 0) consider(*limit / *period);
  }
  return quota;
}

/// A line of /proc/meminfo, in bytes.
int64_t meminfo(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key + ":")) continue;
    return std::strtoll(line.c_str() + key.size() + 1, nullptr, 10) * 1024;
  }
  return std::numeric_limits<int64_t>::max();
}

/// The smallest of what `value(limit, used)` makes of the cgroups' memory limits.
int64_t overMemoryLimits(int64_t start, const std::function<double(double limit, double used)>& value) {
  double smallest = static_cast<double>(start);
  for (const fs::path& folder : cgroupFolders("memory")) {
    if (const auto limit = number(folder / "memory.max"))
      smallest = std::min(smallest, value(*limit, number(folder / "memory.current").value_or(0)));
    if (const auto limit = number(folder / "memory.limit_in_bytes"))
      smallest = std::min(smallest, value(*limit, number(folder / "memory.usage_in_bytes").value_or(0)));
  }
  return static_cast<int64_t>(std::max(0.0, smallest));
}

}  // namespace

std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

int availableThreads() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) count = CPU_COUNT(&mask);
  if (const auto quota = cpuQuota()) count = std::min(count, static_cast<int>(std::ceil(*quota)));
  return std::max(count, 1);
}

int64_t availableMemoryBytes() {
  return overMemoryLimits(meminfo("MemAvailable"), [](double limit, double used) { return limit - used; });
}

int64_t totalMemoryBytes() {
  return overMemoryLimits(meminfo("MemTotal"), [](double limit, double) { return limit; });
}

}  // namespace jcs::cpu
