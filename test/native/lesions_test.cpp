#include "measure/lesions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "io/safetensors.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/test_files.h"

using namespace jcs;

namespace {

/// Rows of '.' and '#'.
std::vector<measure::Lesion> lesionsOf(const std::vector<std::string>& rows, int64_t minAreaPixels = 1) {
  std::vector<uint8_t> mask;
  for (const std::string& row : rows)
    for (const char c : row) mask.push_back(c == '#' ? 255 : 0);
  return measure::findLesions(mask, static_cast<int64_t>(rows[0].size()), static_cast<int64_t>(rows.size()),
                              std::nullopt, minAreaPixels);
}

/// Sizes of the 8-connected components by flood filling, pixel by pixel: an independent count, largest first.
std::vector<int64_t> floodFilledAreas(std::vector<uint8_t> mask, int64_t width, int64_t height) {
  std::vector<int64_t> areas;
  for (int64_t start = 0; start < width * height; ++start) {
    if (!mask[static_cast<size_t>(start)]) continue;
    int64_t area = 0;
    std::vector<int64_t> open{start};
    mask[static_cast<size_t>(start)] = 0;
    while (!open.empty()) {
      const int64_t pixel = open.back();
      open.pop_back();
      ++area;
      for (int64_t dy = -1; dy <= 1; ++dy)
        for (int64_t dx = -1; dx <= 1; ++dx) {
          const int64_t x = pixel % width + dx, y = pixel / width + dy;
          if (x < 0 || x >= width || y < 0 || y >= height || !mask[static_cast<size_t>(y * width + x)]) continue;
          mask[static_cast<size_t>(y * width + x)] = 0;
          open.push_back(y * width + x);
        }
    }
    areas.push_back(area);
  }
  std::sort(areas.rbegin(), areas.rend());
  return areas;
}

}  // namespace

TEST("lesions: none") {
  CHECK(measure::findLesions({}, 0, 0).empty());
  CHECK(lesionsOf({"....", "...."}).empty());
}

TEST("lesions: the fields of figure 6") {
  std::vector<uint8_t> mask(20 * 10, 0);
  for (int y = 6; y <= 8; ++y)
    for (int x = 2; x <= 5; ++x) mask[static_cast<size_t>(y * 20 + x)] = 1;
  mask[1 * 20 + 19] = 1;
  const auto lesions = measure::findLesions(mask, 20, 10, data::PixelSpacing{0.5, 0.25});
  CHECK(lesions.size() == 2);
  CHECK(lesions[0].areaPixels == 12 && lesions[0].areaMm2 == 12 * 0.125);
  CHECK(lesions[0].x0 == 3.5 && lesions[0].y0 == 7 && lesions[0].width == 4 && lesions[0].height == 3);
  CHECK(lesions[0].left && !lesions[0].up);
  CHECK(lesions[1].areaPixels == 1 && lesions[1].x0 == 19 && lesions[1].y0 == 1);
  CHECK(!lesions[1].left && lesions[1].up && lesions[1].width == 1);
  CHECK(!measure::findLesions(mask, 20, 10)[0].areaMm2);
}

TEST("lesions: the paper's example lies left and up of a 512×512 image") {
  // Figure 6: width 45, height 35, x0 = 88, y0 = 236.
  std::vector<uint8_t> mask(512 * 512, 0);
  for (int y = 236 - 17; y <= 236 + 17; ++y)
    for (int x = 88 - 22; x <= 88 + 22; ++x) mask[static_cast<size_t>(y * 512 + x)] = 1;
  const auto lesions = measure::findLesions(mask, 512, 512);
  CHECK(lesions.size() == 1 && lesions[0].x0 == 88 && lesions[0].y0 == 236);
  CHECK(lesions[0].width == 45 && lesions[0].height == 35 && lesions[0].left && lesions[0].up);
}

TEST("lesions: corners connect, gaps do not") {
  CHECK(lesionsOf({"#.", ".#"}).size() == 1);
  CHECK(lesionsOf({".#", "#."}).size() == 1);
  CHECK(lesionsOf({"#.#", ".#.", "#.#"}).size() == 1);
  CHECK(lesionsOf({"#..", "..#"}).size() == 2);
  CHECK(lesionsOf({"#", ".", "#"}).size() == 2);
  CHECK(lesionsOf({"##", "..", "##"}).size() == 2);
  CHECK(lesionsOf({"#..#", "####"}).size() == 1);
  CHECK(lesionsOf({"#.#.#", "#.#.#", "#####"})[0].areaPixels == 11);
  // The end of one row and the beginning of the next are not neighbours.
  CHECK(lesionsOf({"...#", "#..."}).size() == 2);
  CHECK(lesionsOf({"######", "#....#", "#.##.#", "#....#", "######"}).size() == 2);
}

TEST("lesions: largest first, small ones left out on request") {
  const std::vector<std::string> rows{"#....##", "...##..", ".......", "##....#"};
  const auto all = lesionsOf(rows);
  CHECK(all.size() == 4);
  CHECK(all[0].areaPixels == 4 && all[1].areaPixels == 2 && all[2].areaPixels == 1 && all[3].areaPixels == 1);
  CHECK(all[2].x0 == 0 && all[2].y0 == 0 && all[3].x0 == 6 && all[3].y0 == 3);
  CHECK(lesionsOf(rows, 2).size() == 2 && lesionsOf(rows, 5).empty());
}

TEST("lesions: the same components as a flood fill on random masks") {
  uint32_t state = 1;
  for (int round = 0; round < 60; ++round) {
    const int64_t width = 1 + round % 13, height = 1 + round * 7 % 17;
    std::vector<uint8_t> mask(static_cast<size_t>(width * height));
    for (uint8_t& pixel : mask) {
      state = state * 1664525u + 1013904223u;
      pixel = (state >> 24) % 100 < static_cast<uint32_t>(20 + round);
    }
    std::vector<int64_t> areas;
    for (const measure::Lesion& lesion : measure::findLesions(mask, width, height)) areas.push_back(lesion.areaPixels);
    CHECK(areas == floodFilledAreas(mask, width, height));
  }
}

TEST("lesions: the fixture's components, found by another program") {
  const auto file = io::SafetensorsFile::open(fixturePath("lesions.safetensors"));
  std::vector<uint8_t> mask;
  const Tensor truth = file.load("mask");
  for (const float value : truth.as<float>()) mask.push_back(value != 0);
  const io::SafetensorsEntry& entry = *file.find("boxes");
  std::vector<std::array<int64_t, 5>> boxes(static_cast<size_t>(entry.shape[0]));  // area, min x, min y, width, height
  file.read(entry, 0, std::as_writable_bytes(std::span(boxes)));
  std::ranges::stable_sort(boxes, std::ranges::greater{}, [](const auto& box) { return box[0]; });

  const auto lesions = measure::findLesions(mask, truth.shape()[1], truth.shape()[0]);
  CHECK_EQUAL(lesions.size(), boxes.size());
  for (size_t i = 0; i < boxes.size() && i < lesions.size(); ++i) {
    const auto& [area, x, y, width, height] = boxes[i];
    CHECK_EQUAL(lesions[i].areaPixels, area);
    CHECK_EQUAL(lesions[i].width, width);
    CHECK_EQUAL(lesions[i].height, height);
    CHECK_EQUAL(lesions[i].x0, static_cast<double>(2 * x + width - 1) / 2);
    CHECK_EQUAL(lesions[i].y0, static_cast<double>(2 * y + height - 1) / 2);
  }
}

TEST("lesions: 2048 stripes, and a comb, over 16 million pixels take linear time") {
  const int64_t side = 4096;
  std::vector<uint8_t> mask(static_cast<size_t>(side * side), 0);
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; x += 2) mask[static_cast<size_t>(y * side + x)] = 1;
  CHECK(measure::findLesions(mask, side, side).size() == 2048);
  for (int64_t x = 0; x < side; ++x) mask[static_cast<size_t>((side - 1) * side + x)] = 1;
  CHECK(measure::findLesions(mask, side, side).size() == 1);
}

TEST("lesions: a mask whose size contradicts itself is an error") {
  const std::vector<uint8_t> mask(5);
  CHECK(codeOf([&] { measure::findLesions(mask, 2, 3); }) == errors::kShapeMismatch);
  CHECK(codeOf([&] { measure::findLesions(mask, -1, -5); }) == errors::kShapeMismatch);
}
