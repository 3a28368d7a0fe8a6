#include "io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <new>

namespace jcs::io {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) noexcept {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (descriptor < 0) return nullptr;
  struct stat status;
  void* mapped = MAP_FAILED;
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
    mapped = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                    descriptor, 0);
  ::close(descriptor);
  if (mapped == MAP_FAILED) return nullptr;
  const std::span<std::byte> bytes(static_cast<std::byte*>(mapped), static_cast<size_t>(status.st_size));
  try {
    return std::shared_ptr<const MappedFile>(new MappedFile(bytes));
  } catch (const std::bad_alloc&) {
    ::munmap(mapped, bytes.size());
    return nullptr;
  }
}

MappedFile::~MappedFile() { ::munmap(bytes_.data(), bytes_.size()); }

}  // namespace jcs::io
