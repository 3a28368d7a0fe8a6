#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace jcs {

/// Where jcs-ct keeps what can be made again: under JCS_CACHE, else XDG_CACHE_HOME, else ~/.cache. Empty where none of
/// them is known.
inline std::filesystem::path cacheFolder() {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  for (const char* name : {"JCS_CACHE", "XDG_CACHE_HOME"})
    if (const std::string folder = environment(name); !folder.empty()) return std::filesystem::path(folder) / "jcs-ct";
  const std::string home = environment("HOME");
  return home.empty() ? std::filesystem::path() : std::filesystem::path(home) / ".cache" / "jcs-ct";
}

}  // namespace jcs
