#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace jcs {

/// Where tests find what they compare with: JCS_REPOSITORY where they run on another machine than they were built on.
inline std::filesystem::path repositoryRoot() {
  if (const char* given = std::getenv("JCS_REPOSITORY"); given && *given) return given;
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
}
inline std::string fixturePath(const std::string& name) {
  return (repositoryRoot() / "test" / "fixtures" / name).string();
}
/// The folder of published material beside the repository; JCS_SHARED overrides it. It may be absent.
inline std::filesystem::path sharedFolder() {
  const char* given = std::getenv("JCS_SHARED");
  return given && *given ? std::filesystem::path(given) : repositoryRoot().parent_path() / "shared";
}

}  // namespace jcs
