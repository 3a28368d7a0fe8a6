#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace jcs {

/// Where tests find what they compare with.
inline std::filesystem::path repositoryRoot() {
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
