#include "io/unnamed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "io/file.h"

namespace jcs::io {

namespace {

constexpr int64_t kGrowthBytes = int64_t{64} << 20;
constexpr size_t kMaxTransfer = size_t{1} << 30;  // Linux moves at most this much in one call

}  // namespace

UnnamedFile::UnnamedFile(std::string directory) : directory_(std::move(directory)) {
  if (directory_.empty()) {
    std::error_code failed;
    const auto found = std::filesystem::temp_directory_path(failed);
    directory_ = failed ? "/tmp" : found.string();
  }
  std::string pattern = directory_ + "/jcs-slices-XXXXXX";
  descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor_ < 0) failWriting(directory_, errno);
  ::unlink(pattern.c_str());
}

UnnamedFile::~UnnamedFile() { ::close(descriptor_); }

void UnnamedFile::reserve(int64_t bytes) {
  if (bytes <= reserved_) return;
  // In large steps, down to what is needed when the disk is nearly full.
  for (const int64_t growth : {kGrowthBytes, bytes - reserved_}) {
    const int64_t end = std::max(bytes, reserved_ + growth);
    int error = 0;
    do error = ::posix_fallocate(descriptor_, reserved_, end - reserved_);
    while (error == EINTR);
    if (error == 0) {
      reserved_ = end;
      return;
    }
    // A file that is too large for its file system or its limit is a full disk to the caller.
    if (end == bytes) failWriting(directory_, error == EFBIG ? ENOSPC : error);
  }
}

int64_t UnnamedFile::append(std::span<const std::byte> bytes) {
  const int64_t begin = bytes_, end = begin + static_cast<int64_t>(bytes.size());
  reserve(end);
  for (int64_t offset = begin; !bytes.empty();) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), std::min(bytes.size(), kMaxTransfer), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failWriting(directory_, errno);
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
  bytes_ = end;
  return begin;
}

void UnnamedFile::discard(int64_t offset, int64_t bytes) noexcept {
  // Whole pages are freed, and a file system without holes keeps them: both cost space alone, until the file is closed.
  ::fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
}

void UnnamedFile::read(int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(descriptor_, bytes.data(), std::min(bytes.size(), kMaxTransfer), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      fail(errors::kFileUnreadable, "the decoded slices in '" + directory_ + "' cannot be read back" +
                                        (count < 0 ? ": " + std::generic_category().message(errno) : ""));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

}  // namespace jcs::io
