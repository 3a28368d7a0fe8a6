#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace jcs::io {

/// A whole file as memory that processes share. What is written to the memory stays in this process. The file may be
/// removed or replaced by renaming, but who cuts it short ends the process: for files that only we write.
class MappedFile {
 public:
  /// Null where there is no such file, or it cannot be mapped.
  static std::shared_ptr<const MappedFile> open(const std::string& path) noexcept;
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<std::byte> bytes) : bytes_(bytes) {}

  std::span<std::byte> bytes_;
};

}  // namespace jcs::io
