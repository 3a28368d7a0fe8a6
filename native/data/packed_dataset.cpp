#include "data/packed_dataset.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "io/file.h"

namespace jcs {

namespace {

constexpr int64_t kGrowthBytes = int64_t{64} << 20;
constexpr size_t kMaxTransfer = size_t{1} << 30;  // Linux moves at most this much in one call

std::vector<std::byte> packBits(std::span<const uint8_t> mask) {
  std::vector<std::byte> bits((mask.size() + 7) / 8, std::byte{0});
  for (size_t i = 0; i < mask.size(); ++i)
    if (mask[i]) bits[i / 8] |= std::byte{1} << (i % 8);
  return bits;
}

std::vector<uint8_t> unpackBits(std::span<const std::byte> bits, size_t count) {
  std::vector<uint8_t> mask(count);
  for (size_t i = 0; i < count; ++i) mask[i] = std::to_integer<uint8_t>(bits[i / 8] >> (i % 8)) & 1;
  return mask;
}

/// The file of a descriptor opened for reading and writing that has no name.
int openUnnamed(const std::string& directory) {
  std::string pattern = directory + "/jcs-dataset-XXXXXX";
  const int descriptor = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor >= 0) ::unlink(pattern.c_str());
  return descriptor;
}

void writeAt(int descriptor, std::span<const std::byte> bytes, int64_t offset, const std::string& place) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor, bytes.data(), std::min(bytes.size(), kMaxTransfer), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failWriting(place, errno);
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

void readAt(int descriptor, std::span<std::byte> bytes, int64_t offset, const std::string& place) {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(descriptor, bytes.data(), std::min(bytes.size(), kMaxTransfer), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      fail(errors::kFileUnreadable, "the decoded dataset in '" + place + "' cannot be read back" +
                                        (count < 0 ? ": " + std::generic_category().message(errno) : ""));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

}  // namespace

PackedDataset::PackedDataset(const std::string& directory) : directory_(directory) {
  if (directory_.empty()) {
    std::error_code ignored;
    const auto found = std::filesystem::temp_directory_path(ignored);
    directory_ = ignored ? "/tmp" : found.string();
  }
  descriptor_ = openUnnamed(directory_);
  if (descriptor_ < 0) failWriting(directory_, errno);
}

PackedDataset::~PackedDataset() { ::close(descriptor_); }

void PackedDataset::reserve(int64_t bytes) {
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

void PackedDataset::append(const Sample& sample) {
  const Pixels& image = sample.image;
  validate(image);
  const auto pixels = static_cast<size_t>(image.width * image.height);
  require(sample.mask.empty() || sample.mask.size() == pixels, errors::kShapeMismatch, [&] {
    return "a mask of " + std::to_string(sample.mask.size()) + " pixels belongs to an image of " +
           std::to_string(image.width) + "×" + std::to_string(image.height);
  });
  require(std::ranges::all_of(sample.mask, [](uint8_t value) { return value <= 1; }), errors::kInvalidArgument,
          "a mask has values other than 0 and 1");
  require(sample.label >= -1 && sample.label <= 1, errors::kInvalidArgument,
          [&] { return "a label is " + std::to_string(sample.label) + "; it must be 0 or 1, or −1 for none"; });

  const std::vector<std::byte> bits = packBits(sample.mask);
  const auto imageBytes = static_cast<int64_t>(image.data.size());
  const int64_t end = bytes_ + imageBytes + static_cast<int64_t>(bits.size());
  reserve(end);
  writeAt(descriptor_, image.data, bytes_, directory_);
  writeAt(descriptor_, bits, bytes_ + imageBytes, directory_);
  const bool hasLesion = std::ranges::find(sample.mask, uint8_t{1}) != sample.mask.end();
  infos_.push_back({image.format, image.width, image.height, image.channels, image.window, sample.label,
                    !sample.mask.empty(), !hasLesion, sample.patient});
  offsets_.push_back(bytes_);
  bytes_ = end;
}

Sample PackedDataset::read(size_t index) const {
  invariant(index < infos_.size(), "a sample beyond the dataset's end is read");
  const Info& info = infos_[index];
  std::vector<std::byte> bytes(static_cast<size_t>(info.imageBytes() + info.maskBytes()));
  readBytes(index, bytes);
  Sample sample;
  sample.label = info.label;
  sample.patient = info.patient;
  if (info.hasMask)
    sample.mask = unpackBits(std::span(bytes).subspan(static_cast<size_t>(info.imageBytes())),
                             static_cast<size_t>(info.width * info.height));
  bytes.resize(static_cast<size_t>(info.imageBytes()));
  sample.image = {std::move(bytes), info.format, info.width, info.height, info.channels, info.window};
  return sample;
}

void PackedDataset::readBytes(size_t index, std::span<std::byte> bytes) const {
  invariant(index < infos_.size(), "a sample beyond the dataset's end is read");
  invariant(static_cast<int64_t>(bytes.size()) <= infos_[index].imageBytes() + infos_[index].maskBytes(),
            "more is read than a sample has");
  readAt(descriptor_, bytes, offsets_[index], directory_);
}

}  // namespace jcs
