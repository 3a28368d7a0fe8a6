#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/error.h"

namespace jcs::io {

/// A regular file open for reading. FILE_NOT_FOUND, FILE_UNREADABLE (a directory, a device, no permission, an I/O
/// error). Never blocks on a pipe.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  /// Differs from that of any other file, and of this one once it was written to. To other processes, and later ones,
  /// it says as much where the file `isSettled`.
  std::string identity() const;
  /// Whether it was changed so long before it was opened that the system's clock tells the next change from that one.
  bool isSettled() const { return isSettled_; }
  /// Fills `target` from `offset` on. CORRUPT_FILE when the file ends before that, as one truncated meanwhile does.
  void read(uint64_t offset, std::span<std::byte> target) const;
  /// CORRUPT_FILE when it was written to since it was opened. One that was removed, or replaced by another of its name,
  /// is as it was.
  void requireUnchanged() const;

 private:
  std::string path_;
  int descriptor_ = -1;
  uint64_t bytes_ = 0, device_ = 0, node_ = 0;
  int64_t modifiedNs_ = 0, changedNs_ = 0;
  bool isSettled_ = false;
};

/// A file that appears under its name complete or not at all: written beside it under a temporary name, synced,
/// renamed. Destroyed without `commit`, or failing anywhere, it leaves nothing behind and the old file as it was.
/// DISK_FULL; FILE_UNWRITABLE for a missing or unwritable directory and everything else.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(const std::string& text) { write(std::as_bytes(std::span(text))); }
  /// What is not synced may be lost, or be there in part, after the system went down: for what can be made again, and
  /// is checked when it is read.
  void commit(bool isSynced = true);

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// Removes what AtomicFile left beside the file when the process that wrote it was killed: what no process has locked.
void removeAbandoned(const std::string& path) noexcept;

/// The typed error of a system call that failed to write: DISK_FULL or FILE_UNWRITABLE.
[[noreturn]] void failWriting(const std::string& path, int systemError);

}  // namespace jcs::io
