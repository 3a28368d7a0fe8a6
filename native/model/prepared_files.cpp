#include "model/prepared_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "core/cache_folder.h"
#include "core/checksum.h"
#include "io/file.h"
#include "io/mapped_file.h"

namespace jcs::model {

namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> kFormat = {'j', 'c', 's', 'p', 'r', 'e', 'p', '1'};
constexpr std::string_view kEnding = ".prepared";
constexpr int64_t kDefaultLimitMiB = 4096, kMostLimitMiB = int64_t{1} << 30;
/// Values begin on a page.
constexpr size_t kPageBytes = 4096;

/// Then the description, zeros up to a page, and the values.
struct Header {
  std::array<char, 8> format;
  uint64_t descriptionBytes, valueBytes, checksum;  ///< the last of the values
};

std::span<const std::byte> bytesOf(const std::string& text) { return std::as_bytes(std::span(text)); }

size_t valuesAt(size_t descriptionBytes) {
  return (sizeof(Header) + descriptionBytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

/// Makes the folder; false where somebody else could put files there.
bool isOurs(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  struct stat status;
  if (::stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) return false;
  return (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || ::chmod(folder.c_str(), S_IRWXU) == 0;
}

struct Kept {
  fs::path path;
  fs::file_time_type used;
  int64_t bytes;
};

/// All that lies in the folder: prepared weights, and what processes that were killed have left of some.
std::vector<Kept> filesIn(const fs::path& folder) {
  std::vector<Kept> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const auto bytes = static_cast<int64_t>(entry.file_size(failed));
    if (failed) continue;  // another process has removed it
    const auto used = entry.last_write_time(failed);
    if (!failed) files.push_back({entry.path(), used, bytes});
  }
  return files;
}

/// Removes what was not used for longest until the rest fits.
void keepWithin(const fs::path& folder, int64_t limitBytes) {
  std::vector<Kept> files = filesIn(folder);
  int64_t sum = 0;
  for (const Kept& file : files) sum += file.bytes;
  std::ranges::sort(files, {}, &Kept::used);
  std::error_code failed;
  for (const Kept& file : files) {
    if (sum <= limitBytes) return;
    if (fs::remove(file.path, failed)) sum -= file.bytes;
  }
}

/// Whether so much fits on the disk and leaves as much again to others.
bool hasRoom(const fs::path& folder, int64_t bytes) {
  std::error_code failed;
  const fs::space_info space = fs::space(folder, failed);
  return !failed && static_cast<int64_t>(space.available / 2) > bytes;
}

void write(const fs::path& path, const std::string& description, std::span<const std::byte> values,
           int64_t limitBytes) {
  const auto bytes = static_cast<int64_t>(values.size());
  if (bytes > limitBytes || !hasRoom(path.parent_path(), bytes) || fs::exists(path)) return;
  Header header{kFormat, description.size(), values.size(), checksumOf(values)};
  std::string beginning(valuesAt(description.size()), '\0');
  std::memcpy(beginning.data(), &header, sizeof header);
  description.copy(beginning.data() + sizeof header, description.size());
  io::removeAbandoned(path.string());
  io::AtomicFile file(path.string());
  file.write(beginning);
  file.write(values);
  file.commit(false);
  keepWithin(path.parent_path(), limitBytes);
}

}  // namespace

PreparedFolder PreparedFolder::ofUser() {
  int64_t limitMiB = kDefaultLimitMiB;
  if (const char* text = std::getenv("JCS_PREPARED_MIB"); text != nullptr && *text != '\0') {
    const char* const end = text + std::strlen(text);
    const auto [read, failed] = std::from_chars(text, end, limitMiB);
    require(failed == std::errc() && read == end && limitMiB >= 0 && limitMiB <= kMostLimitMiB,
            errors::kInvalidArgument, [&] {
              return "the environment's JCS_PREPARED_MIB is '" + std::string(text) +
                     "', but has to be a whole number of MiB, or 0 to keep no prepared weights";
            });
  }
  const fs::path cache = cacheFolder();
  return {cache.empty() ? cache : cache / "prepared", limitMiB << 20};
}

bool PreparedFolder::isUsable() const {
  return limitBytes >= PreparedFiles::kLeastBytes && !path.empty() && isOurs(path) &&
         ::access(path.c_str(), W_OK | X_OK) == 0;
}

PreparedFolder::Contents PreparedFolder::contents() const {
  Contents contents;
  for (const Kept& file : filesIn(path)) {
    ++contents.files;
    contents.bytes += file.bytes;
  }
  return contents;
}

std::shared_ptr<PreparedFiles> PreparedFiles::of(const io::SafetensorsFile& file, const Backend& backend) {
  const PreparedFolder folder = PreparedFolder::ofUser();
  const std::string kernels = backend.kernelsIdentity();
  if (kernels.empty() || !file.isSettled() || !folder.isUsable()) return nullptr;
  return std::make_shared<PreparedFiles>(folder, file.identity() + '\n' + kernels);
}

PreparedFiles::PreparedFiles(PreparedFolder folder, std::string origin)
    : folder_(std::move(folder)),
      origin_(std::move(origin)),
      prefix_(digestOf(origin_) + '-'),
      pool_(runtime::WorkerPool::acquire()) {}

std::string PreparedFiles::describe(std::span<const Value> values) const {
  std::string text = origin_ + '\n';
  for (const Value& value : values)
    text += value.key.computation + '\n' + value.key.form + '\n' + std::to_string(value.bytes) + '\n';
  return text;
}

fs::path PreparedFiles::pathOf(const std::string& description) const {
  return folder_.path / (prefix_ + digestOf(description) + std::string(kEnding));
}

bool PreparedFiles::hasAny() const noexcept {
  try {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder_.path, failed)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix_) && name.ends_with(kEnding)) return true;
    }
  } catch (const std::exception&) {
    // As if there were none.
  }
  return false;
}

std::shared_ptr<const compiler::DerivedMemory> PreparedFiles::find(std::span<const Value> values) noexcept {
  try {
    const std::string description = describe(values);
    const fs::path path = pathOf(description);
    const auto file = io::MappedFile::open(path.string());
    const std::span<std::byte> all = file ? file->bytes() : std::span<std::byte>();
    const size_t begin = valuesAt(description.size());
    int64_t bytes = 0;
    for (const Value& value : values) bytes += value.bytes;
    Header header;
    const bool isWhole = all.size() == begin + static_cast<size_t>(bytes);
    if (isWhole) std::memcpy(&header, all.data(), sizeof header);
    const auto kept = isWhole ? all.subspan(begin) : std::span<std::byte>();
    const bool agrees = isWhole && header.format == kFormat && header.descriptionBytes == description.size() &&
                        header.valueBytes == kept.size() &&
                        std::ranges::equal(all.subspan(sizeof header, description.size()), bytesOf(description)) &&
                        header.checksum == checksumOf(kept);
    if (!agrees) {
      std::error_code failed;
      fs::remove(path, failed);  // where there is one: it is written anew
      return nullptr;
    }
    ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // it was used now
    return std::make_shared<const compiler::DerivedMemory>(file, kept.data(), bytes);
  } catch (const std::exception&) {
    return nullptr;  // it is prepared anew
  }
}

void PreparedFiles::keep(std::vector<Value> values, std::shared_ptr<const compiler::DerivedMemory> memory) noexcept {
  if (memory->bytes < kLeastBytes) return;
  try {
    std::string description = describe(values);
    fs::path path = pathOf(description);
    pool_->submit([path = std::move(path), description = std::move(description), memory = std::move(memory),
                   limitBytes = folder_.limitBytes] {
      try {
        write(path, description, {memory->data, static_cast<size_t>(memory->bytes)}, limitBytes);
      } catch (const std::exception&) {
        // Without the file the next process prepares, as this one did.
      }
    });
  } catch (const std::exception&) {
    // As above.
  }
}

}  // namespace jcs::model
