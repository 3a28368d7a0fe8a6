#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace jcs::io {

/// A file without a name: opened, unlinked, preallocated as it grows, read with pread. Neither a truncated file nor a
/// full disk can therefore become a SIGBUS, and nothing is left behind whatever happens. Any number of threads may
/// read; one appends at a time.
class UnnamedFile {
 public:
  /// In `directory`, or for '' in the system's for temporary files. FILE_UNWRITABLE.
  explicit UnnamedFile(std::string directory = "");
  ~UnnamedFile();
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;

  /// Where the bytes lie from then on. DISK_FULL leaves the file as it was.
  int64_t append(std::span<const std::byte> bytes);
  /// Gives the bytes' place on the disk back, where the file system can; nobody may read them any more.
  void discard(int64_t offset, int64_t bytes) noexcept;
  /// FILE_UNREADABLE when the disk fails.
  void read(int64_t offset, std::span<std::byte> bytes) const;
  int64_t bytes() const { return bytes_; }

 private:
  void reserve(int64_t bytes);

  std::string directory_;
  int descriptor_ = -1;
  int64_t bytes_ = 0, reserved_ = 0;
};

}  // namespace jcs::io
