#include <numeric>

#include "fuzz/native/source.h"
#include "measure/lesions.h"
#include "measure/lungs.h"

/// Masks as networks draw them, however frayed: lesions of a slice, lungs of a few.

namespace jcs::fuzz {

namespace {

void findLesions(Source& source) {
  const int64_t width = source.within(1, 40), height = source.within(1, 40);
  std::vector<uint8_t> mask = source.bytes(width * height);
  if (source.flag())
    for (uint8_t& value : mask) value &= 1;
  const auto inside = static_cast<int64_t>(std::ranges::count_if(mask, [](uint8_t value) { return value != 0; }));
  int64_t area = 0;
  for (const measure::Lesion& lesion : measure::findLesions(mask, width, height)) {
    area += lesion.areaPixels;
    holds(lesion.areaPixels > 0 && lesion.areaPixels <= lesion.width * lesion.height, "a lesion fits its box");
    holds(lesion.width <= width && lesion.height <= height, "and its box the image");
  }
  holds(area == inside, "every pixel is of one lesion");
}

void findLungs(Source& source) {
  measure::StackGeometry geometry;
  geometry.width = source.within(1, 24);
  geometry.height = source.within(1, 24);
  geometry.spacing = {0.1 + static_cast<double>(source.within(0, 100)),
                      0.1 + static_cast<double>(source.within(0, 100))};
  std::vector<data::BitMask> masks;
  std::vector<std::vector<int16_t>> values;
  const int64_t pixels = geometry.width * geometry.height;
  for (int64_t slices = source.within(1, 3), i = 0; i < slices; ++i) {
    masks.emplace_back(source.bytes(pixels));
    std::vector<int16_t> hounsfield(source.flag() ? static_cast<size_t>(pixels) : 0);
    source.fill({reinterpret_cast<uint8_t*>(hounsfield.data()), hounsfield.size() * sizeof(int16_t)});
    values.push_back(std::move(hounsfield));
    geometry.heightsMm.push_back(static_cast<double>(-i));
    geometry.thicknessesMm.push_back(1);
  }
  const measure::Lungs lungs = measure::findLungs(masks, geometry, [&](size_t slice) { return values[slice]; });
  holds(lungs.slices.size() == masks.size() && lungs.borders.size() == masks.size(), "every slice is answered");
  for (size_t i = 0; i < masks.size(); ++i) {
    const std::vector<uint8_t> left = masks[i].bytes();
    holds(std::accumulate(left.begin(), left.end(), int64_t{0}) == lungs.slices[i].pixels(),
          "masks are what is left of the lungs");
    holds(lungs.borders[i].size() == static_cast<size_t>(geometry.height), "every row has a border");
  }
}

}  // namespace

void fuzzMasks(Bytes bytes) {
  Source source(bytes);
  source.flag() ? findLesions(source) : findLungs(source);
}

}  // namespace jcs::fuzz
