#include "data/slice_store.h"

#include <algorithm>

#include "core/error.h"

namespace jcs {

namespace {

void requireMaskOf(const SliceInfo& info, std::span<const uint8_t> mask) {
  require(mask.empty() || static_cast<int64_t>(mask.size()) == info.width * info.height, errors::kShapeMismatch, [&] {
    return "a mask of " + std::to_string(mask.size()) + " pixels belongs to an image of " + std::to_string(info.width) +
           "×" + std::to_string(info.height);
  });
  require(std::ranges::all_of(mask, [](uint8_t value) { return value <= 1; }), errors::kInvalidArgument,
          "a mask has values other than 0 and 1");
}

}  // namespace

SliceStore::SliceStore(int64_t memoryLimit, std::string directory)
    : memoryLimit_(memoryLimit), directory_(std::move(directory)) {}

size_t SliceStore::append(SliceInfo info, std::span<const std::byte> pixels, std::span<const uint8_t> mask) {
  validate(info, pixels);
  requireMaskOf(info, mask);
  info.hasMask = !mask.empty();
  info.maskIsEmpty = std::ranges::find(mask, uint8_t{1}) == mask.end();
  auto memory = std::make_shared<std::vector<std::byte>>();
  memory->reserve(pixels.size() + (mask.size() + 7) / 8);
  memory->assign(pixels.begin(), pixels.end());
  const BitMask bits(mask);
  memory->insert(memory->end(), bits.bits().begin(), bits.bits().end());

  const std::lock_guard lock(mutex_);
  entries_.push_back({std::move(info), std::move(memory)});
  bytes_ += entries_.back().bytes();
  memoryBytes_ += entries_.back().bytes();
  return entries_.size() - 1;
}

bool SliceStore::isOverLimit() const {
  const std::lock_guard lock(mutex_);
  return memoryBytes_ > memoryLimit_;
}

void SliceStore::spill() {
  const std::lock_guard spilling(spilling_);
  for (size_t index = size(); index-- > 0;) {
    std::shared_ptr<const std::vector<std::byte>> memory;
    {
      const std::lock_guard lock(mutex_);
      if (memoryBytes_ <= memoryLimit_) return;
      memory = at(index).memory;
    }
    if (!memory) continue;
    if (!file_) file_ = std::make_unique<UnnamedFile>(directory_);
    const int64_t offset = file_->append(*memory);
    const std::lock_guard lock(mutex_);
    Entry& entry = at(index);
    if (!entry.memory) continue;  // released meanwhile
    entry.offset = offset;
    entry.memory.reset();
    memoryBytes_ -= entry.bytes();
  }
}

SliceStore::Entry& SliceStore::at(size_t index) const {
  invariant(index < entries_.size(), "a slice beyond the store's end is asked for");
  return entries_[index];
}

const SliceInfo& SliceStore::info(size_t index) const {
  const std::lock_guard lock(mutex_);
  return at(index).info;
}

void SliceStore::read(size_t index, std::span<std::byte> bytes) const {
  std::shared_ptr<const std::vector<std::byte>> memory;
  int64_t offset = -1;
  {
    const std::lock_guard lock(mutex_);
    const Entry& entry = at(index);
    invariant(static_cast<int64_t>(bytes.size()) <= entry.bytes(), "more is read than a slice has");
    memory = entry.memory;
    offset = entry.offset;
  }
  require(memory || offset >= 0, errors::kDisposed,
          [&] { return "slice " + std::to_string(index) + " was given up; open its case again"; });
  if (memory)
    std::copy_n(memory->begin(), bytes.size(), bytes.begin());
  else
    file_->read(offset, bytes);
}

std::vector<std::byte> SliceStore::pixels(size_t index) const {
  std::vector<std::byte> pixels(static_cast<size_t>(info(index).imageBytes()));
  read(index, pixels);
  return pixels;
}

BitMask SliceStore::mask(size_t index) const {
  const SliceInfo& slice = info(index);
  if (!slice.hasMask) return {};
  std::vector<std::byte> all(static_cast<size_t>(slice.imageBytes() + slice.maskBytes()));
  read(index, all);
  return {{all.begin() + slice.imageBytes(), all.end()}, slice.width * slice.height};
}

void SliceStore::release(size_t index) {
  const std::lock_guard lock(mutex_);
  Entry& entry = at(index);
  if (entry.memory) memoryBytes_ -= entry.bytes();
  if (entry.memory || entry.offset >= 0) bytes_ -= entry.bytes();
  entry.memory.reset();
  entry.offset = -1;
}

size_t SliceStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

int64_t SliceStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

int64_t SliceStore::memoryBytes() const {
  const std::lock_guard lock(mutex_);
  return memoryBytes_;
}

}  // namespace jcs
