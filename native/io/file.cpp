#include "io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace jcs::io {

namespace {

// Linux moves at most this much in one call.
constexpr size_t kMaxTransfer = size_t{1} << 30;
constexpr std::string_view kTemporaryEnd = ".tmp";

std::string describe(int systemError) { return std::generic_category().message(systemError); }

std::string directoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// Whether AtomicFile gives such names to what becomes a file: process and number follow the prefix.
bool isTemporaryOf(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || !name.ends_with(kTemporaryEnd)) return false;
  name.remove_prefix(prefix.size());
  return name.find_first_not_of("0123456789-") == name.size() - kTemporaryEnd.size();
}

int64_t nanoseconds(const struct timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// Files get the time of a clock that moves every few milliseconds.
constexpr int64_t kLongestClockTickNs = 100'000'000;

}  // namespace

void failWriting(const std::string& path, int systemError) {
  if (systemError == ENOSPC || systemError == EDQUOT || systemError == EFBIG)
    fail(errors::kDiskFull,
         "'" + path + "' cannot be written: the disk or its quota is full; free space or choose another place");
  std::string advice = "; check the path and its permissions";
  if (systemError == ENOENT) advice = "; create the directory first";
  if (systemError == EROFS) advice = "; choose a writable place";
  fail(errors::kFileUnwritable, "'" + path + "' cannot be written: " + describe(systemError) + advice);
}

InputFile::InputFile(const std::string& path) : path_(path) {
  require(path.find('\0') == std::string::npos, errors::kFileNotFound, "a file name contains a NUL character");
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) fail(errors::kFileNotFound, "there is no file '" + path + "'");
    fail(errors::kFileUnreadable, "'" + path + "' cannot be read: " + describe(error));
  }
  struct stat status;
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail(errors::kFileUnreadable, "'" + path + "' is " +
                                      (known && S_ISDIR(status.st_mode) ? "a directory" : "not a regular file") +
                                      "; a file is needed here");
  }
  bytes_ = static_cast<uint64_t>(status.st_size);
  device_ = status.st_dev;
  node_ = status.st_ino;
  modifiedNs_ = nanoseconds(status.st_mtim);
  changedNs_ = nanoseconds(status.st_ctim);
  struct timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  isSettled_ = nanoseconds(now) - changedNs_ > kLongestClockTickNs;
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(uint64_t offset, std::span<std::byte> target) const {
  while (!target.empty()) {
    const ssize_t count =
        ::pread(descriptor_, target.data(), std::min(target.size(), kMaxTransfer), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errors::kFileUnreadable, "'" + path_ + "' cannot be read: " + describe(errno));
    require(count > 0, errors::kCorruptFile, [&] {
      return "'" + path_ + "' ends at byte " + std::to_string(offset) + ", " + std::to_string(target.size()) +
             " bytes too early; copy or download it again";
    });
    offset += static_cast<uint64_t>(count);
    target = target.subspan(static_cast<size_t>(count));
  }
}

std::string InputFile::identity() const {
  std::string identity;
  for (const uint64_t part :
       {device_, node_, bytes_, static_cast<uint64_t>(modifiedNs_), static_cast<uint64_t>(changedNs_)})
    identity += std::to_string(part) + ' ';
  return identity;
}

void InputFile::requireUnchanged() const {
  struct stat status;
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known) fail(errors::kFileUnreadable, "'" + path_ + "' cannot be read: " + describe(errno));
  require(static_cast<uint64_t>(status.st_size) == bytes_ && nanoseconds(status.st_mtim) == modifiedNs_,
          errors::kCorruptFile, [&] {
            return "'" + path_ +
                   "' was written to while it is in use; load it again, and replace such files by renaming others";
          });
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  require(!path.empty() && path.find('\0') == std::string::npos, errors::kFileUnwritable,
          "a file name is empty or contains a NUL character");
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) failWriting(path, EISDIR);
  // Not mkstemp: it makes private files, while this one should get the permissions of an ordinary new file.
  static std::atomic<uint32_t> counter{0};
  do {
    temporary_ = path + "." + std::to_string(::getpid()) + "-" + std::to_string(counter++) + std::string(kTemporaryEnd);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) failWriting(path, errno);
  ::flock(descriptor_, LOCK_EX | LOCK_NB);  // until the process ends, however it does: see removeAbandoned
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMaxTransfer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failWriting(path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void AtomicFile::commit(bool isSynced) {
  if (isSynced && ::fsync(descriptor_) != 0) failWriting(path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) failWriting(path_, errno);
  ::close(descriptor_);
  descriptor_ = -1;
  if (!isSynced) return;
  // The new name itself is durable only once its directory is. Some file systems cannot sync one; the data is safe.
  const int directory = ::open(directoryOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

void removeAbandoned(const std::string& path) noexcept {
  try {
    const std::string prefix = std::filesystem::path(path).filename().string() + '.';
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directoryOf(path), failed)) {
      const std::string name = entry.path().filename().string();
      if (!isTemporaryOf(name, prefix)) continue;
      const int descriptor = ::open(entry.path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
      if (descriptor < 0) continue;
      if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(entry.path().c_str());
      ::close(descriptor);
    }
  } catch (const std::exception&) {
    // What stays takes room, no more.
  }
}

}  // namespace jcs::io
