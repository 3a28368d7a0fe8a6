#include <map>

#include "core/error.h"
#include "data/slice_store.h"
#include "fuzz/native/source.h"

/// The store of slices: whatever is appended, released, moved to the disk and read, it has what was put into it.

namespace jcs::fuzz {

namespace {

data::SliceInfo someInfo(Source& source) {
  data::SliceInfo info;
  info.format = static_cast<PixelFormat>(source.within(0, 3));
  info.width = source.within(-1, 40);
  info.height = source.within(0, 40);
  info.channels = source.within(1, 3);
  if (source.flag()) info.window = data::IntensityWindow{source.any<double>(), source.any<double>()};
  if (source.flag()) info.spacing = data::PixelSpacing{source.any<double>(), source.any<double>()};
  info.label = static_cast<int>(source.within(-2, 2));
  info.source = source.text(8);
  return info;
}

/// Mostly as many as there are pixels, mostly 0 and 1.
std::vector<uint8_t> someMask(Source& source, const data::SliceInfo& info) {
  if (!source.flag()) return {};
  const int64_t pixels = std::max<int64_t>(0, info.width * info.height);
  std::vector<uint8_t> mask = source.bytes(source.within(0, 15) == 0 ? source.within(0, 255) : pixels);
  if (source.within(0, 15) != 0)
    for (uint8_t& value : mask) value &= 1;
  return mask;
}

struct Copy {
  std::vector<std::byte> pixels;
  std::vector<uint8_t> mask, lungs;
};

void append(Source& source, data::SliceStore& store, std::map<size_t, Copy>& copies) {
  const data::SliceInfo info = someInfo(source);
  const int64_t bytes = source.within(0, 15) == 0 ? source.within(0, 255) : std::max<int64_t>(0, info.imageBytes());
  const std::vector<uint8_t> values = source.bytes(bytes);
  Copy copy;
  copy.pixels.assign(std::as_bytes(std::span(values)).begin(), std::as_bytes(std::span(values)).end());
  copy.mask = someMask(source, info);
  copy.lungs = someMask(source, info);
  allowing({errors::kInvalidArgument, errors::kShapeMismatch, errors::kNotFinite, errors::kInputTooLarge}, [&] {
    const size_t index = store.append(info, copy.pixels, copy.mask, copy.lungs);
    copies[index] = copy;
  });
}

void compare(const data::SliceStore& store, size_t index, const std::map<size_t, Copy>& copies) {
  const auto found = copies.find(index);
  const bool isThere = allowing({errors::kInvalidArgument, errors::kDisposed}, [&] {
    const std::vector<std::byte> pixels = store.pixels(index);
    const std::vector<uint8_t> mask = store.mask(index).bytes(), lungs = store.lungs(index).bytes();
    holds(found != copies.end(), "what was released is not read");
    holds(pixels == found->second.pixels && mask == found->second.mask && lungs == found->second.lungs,
          "what is read is what was appended");
  });
  holds(isThere == (found != copies.end()), "what was appended is there until it is released");
}

}  // namespace

void fuzzSlices(Bytes bytes) {
  Source source(bytes);
  data::SliceStore store(source.within(0, 255) * 16);
  std::map<size_t, Copy> copies;
  for (int steps = 0; steps < 40 && !source.isEmpty(); ++steps) {
    switch (source.within(0, 7)) {
      case 0: {
        const auto first = static_cast<size_t>(source.within(0, 20)), end = static_cast<size_t>(source.within(0, 20));
        if (allowing({errors::kInvalidArgument}, [&] { store.release(first, end); }))
          std::erase_if(copies, [&](const auto& copy) { return copy.first >= first && copy.first < end; });
        break;
      }
      case 1: store.spill(); break;
      case 2: {
        const auto index = static_cast<size_t>(source.within(0, 20));
        allowing({errors::kInvalidArgument, errors::kDisposed}, [&] {
          const int64_t offset = source.within(0, store.info(index).imageBytes());
          std::vector<std::byte> part(static_cast<size_t>(store.info(index).imageBytes() - offset));
          store.read(index, part, offset);
          holds(std::ranges::equal(part, std::span(copies.at(index).pixels).subspan(static_cast<size_t>(offset))),
                "a part is read as it was appended");
        });
        break;
      }
      case 3: compare(store, static_cast<size_t>(source.within(0, 20)), copies); break;
      default: append(source, store, copies);
    }
  }
  for (size_t index = 0; index < store.size(); ++index) compare(store, index, copies);
}

}  // namespace jcs::fuzz
