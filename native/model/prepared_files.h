#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "compiler/derived_store.h"
#include "io/safetensors.h"
#include "runtime/worker_pool.h"

namespace jcs::model {

/// Where prepared weights are kept, and how many.
struct PreparedFolder {
  std::filesystem::path path;
  int64_t limitBytes = 0;

  /// `jcs-ct/prepared` in the user's cache, within JCS_PREPARED_MIB (4096; 0: nothing is kept). INVALID_ARGUMENT for
  /// another value. Nothing is kept where there is no cache, nor where others than this user may write.
  static PreparedFolder ofUser();

  /// Whether anything can be kept; makes the folder.
  bool isUsable() const;
  struct Contents {
    int64_t files = 0, bytes = 0;
  };
  Contents contents() const;
};

/// What is prepared of a model's file, kept on disk as it lies in memory: the next process maps it instead of reading,
/// folding and packing parameters, and processes that have the model at once have one copy. A file for each set of
/// values, written beside its name and renamed into place. It says what it is of (the model's file, the kernels, every
/// value) and its checksum: what does not agree is as if it were not there. Those that nobody has used for longest go
/// first when there is no room.
class PreparedFiles : public compiler::DerivedArchive {
 public:
  /// Null where nothing is kept: of bytes, of a file that was changed just now, by kernels that differ from process to
  /// process, and where there is no folder.
  static std::shared_ptr<PreparedFiles> of(const io::SafetensorsFile& file, const Backend& backend);
  /// `origin`: whatever else decides the values' bytes.
  PreparedFiles(PreparedFolder folder, std::string origin);

  /// Whether something is kept, of whatever values.
  bool hasAny() const noexcept;

  std::shared_ptr<const compiler::DerivedMemory> find(std::span<const Value> values) noexcept override;
  /// On the worker pool. Nothing of less than `kLeastBytes`, which is prepared in some ten milliseconds.
  void keep(std::vector<Value> values, std::shared_ptr<const compiler::DerivedMemory> memory) noexcept override;

  static constexpr int64_t kLeastBytes = 8 << 20;

 private:
  std::filesystem::path pathOf(const std::string& description) const;
  std::string describe(std::span<const Value> values) const;

  PreparedFolder folder_;
  std::string origin_, prefix_;
  std::shared_ptr<runtime::WorkerPool> pool_;  ///< what is being written is written before the process ends
};

}  // namespace jcs::model
