#include "data/slice_store.h"

#include <algorithm>

#include "core/error.h"

namespace jcs::data {

namespace {

void requireMaskOf(const SliceInfo& info, std::span<const uint8_t> mask) {
  require(mask.empty() || static_cast<int64_t>(mask.size()) == info.width * info.height, errors::kShapeMismatch, [&] {
    return "a mask of " + std::to_string(mask.size()) + " pixels belongs to an image of " + std::to_string(info.width) +
           "×" + std::to_string(info.height);
  });
  require(isBinary(mask), errors::kInvalidArgument, "a mask has values other than 0 and 1");
}

}  // namespace

SliceStore::SliceStore(int64_t memoryLimit, std::string directory)
    : memoryLimit_(memoryLimit), directory_(std::move(directory)) {}

SliceStore::Spilled::Spilled(std::shared_ptr<io::UnnamedFile> f, std::span<const std::byte> data)
    : file(std::move(f)), offset(file->append(data)), bytes(static_cast<int64_t>(data.size())) {}

SliceStore::Spilled::~Spilled() { file->discard(offset, bytes); }

size_t SliceStore::append(SliceInfo info, std::span<const std::byte> pixels, std::span<const uint8_t> mask,
                          std::span<const uint8_t> lungs) {
  validate(info, pixels);
  requireMaskOf(info, mask);
  requireMaskOf(info, lungs);
  const BitMask bits(mask), lungBits(lungs);
  info.hasMask = !mask.empty();
  info.hasLungs = !lungs.empty();
  info.maskIsEmpty = std::ranges::all_of(bits.bits(), [](std::byte eight) { return eight == std::byte{0}; });
  auto memory = std::make_shared<Memory>();
  memory->reserve(pixels.size() + bits.bits().size() + lungBits.bits().size());
  memory->assign(pixels.begin(), pixels.end());
  memory->insert(memory->end(), bits.bits().begin(), bits.bits().end());
  memory->insert(memory->end(), lungBits.bits().begin(), lungBits.bits().end());

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
    std::shared_ptr<const Memory> memory;
    {
      const std::lock_guard lock(mutex_);
      if (memoryBytes_ <= memoryLimit_) return;
      if (!at(index).isInMemory()) continue;
      memory = std::get<std::shared_ptr<const Memory>>(at(index).block);
    }
    if (!file_) file_ = std::make_shared<io::UnnamedFile>(directory_);
    auto spilled = std::make_shared<const Spilled>(file_, *memory);
    const std::lock_guard lock(mutex_);
    Entry& entry = at(index);
    if (!entry.isInMemory()) continue;  // released meanwhile
    entry.block = std::move(spilled);
    memoryBytes_ -= entry.bytes();
  }
}

SliceStore::Entry& SliceStore::at(size_t index) const {
  require(index < entries_.size(), errors::kInvalidArgument,
          [&] { return "there is no slice " + std::to_string(index) + " among " + std::to_string(entries_.size()); });
  return entries_[index];
}

const SliceInfo& SliceStore::info(size_t index) const {
  const std::lock_guard lock(mutex_);
  return at(index).info;
}

void SliceStore::read(size_t index, std::span<std::byte> bytes, int64_t offset) const {
  Block block;
  {
    const std::lock_guard lock(mutex_);
    const Entry& entry = at(index);
    invariant(offset >= 0 && offset + static_cast<int64_t>(bytes.size()) <= entry.bytes(),
              "more is read than a slice has");
    block = entry.block;
  }
  if (const auto* memory = std::get_if<std::shared_ptr<const Memory>>(&block))
    std::copy_n((*memory)->begin() + offset, bytes.size(), bytes.begin());
  else if (const auto* spilled = std::get_if<std::shared_ptr<const Spilled>>(&block))
    (*spilled)->file->read((*spilled)->offset + offset, bytes);
  else
    fail(errors::kDisposed, "slice " + std::to_string(index) + " was given up; open its case again");
}

std::vector<std::byte> SliceStore::pixels(size_t index) const {
  std::vector<std::byte> pixels(static_cast<size_t>(info(index).imageBytes()));
  read(index, pixels);
  return pixels;
}

BitMask SliceStore::mask(size_t index) const {
  const SliceInfo& slice = info(index);
  return bitsOf(index, slice.imageBytes(), slice.maskBytes());
}

BitMask SliceStore::lungs(size_t index) const {
  const SliceInfo& slice = info(index);
  return bitsOf(index, slice.imageBytes() + slice.maskBytes(), slice.lungBytes());
}

BitMask SliceStore::bitsOf(size_t index, int64_t offset, int64_t bytes) const {
  if (bytes == 0) return {};
  std::vector<std::byte> bits(static_cast<size_t>(bytes));
  read(index, bits, offset);
  return {std::move(bits), info(index).width * info(index).height};
}

void SliceStore::release(size_t first, size_t end) {
  if (first < end) info(end - 1);  // all of them are there, or none is given up
  for (size_t index = first; index < end; ++index) {
    Block released;  // freed without the lock
    const std::lock_guard lock(mutex_);
    Entry& entry = at(index);
    std::swap(released, entry.block);
    if (released.index() == 0) continue;
    bytes_ -= entry.bytes();
    if (released.index() == 1) memoryBytes_ -= entry.bytes();
  }
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

}  // namespace jcs::data
