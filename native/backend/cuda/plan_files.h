#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace jcs::cuda {

/// A plan as it is kept on disk.
struct KeptPlan {
  std::string name, json;
  bool fused = false;  ///< bias, residual and activation are part of it
};

/// Plans that processes on this machine made before, a file each: cuDNN takes up to half a second to compile the kernel
/// of one, and a network has dozens. A folder is of one cuDNN, one driver and one kind of GPU. Files that are cut,
/// altered or of another problem count as none; a folder that cannot be written to keeps none.
class PlanFiles {
 public:
  /// Keeps none.
  PlanFiles() = default;
  explicit PlanFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  bool keepsAny() const { return !folder_.empty(); }
  /// `key`: everything that the plan depends on.
  std::optional<KeptPlan> read(const std::string& key) const;
  void write(const std::string& key, const KeptPlan& plan) const noexcept;

 private:
  std::filesystem::path fileOf(const std::string& key) const;

  std::filesystem::path folder_;
};

}  // namespace jcs::cuda
