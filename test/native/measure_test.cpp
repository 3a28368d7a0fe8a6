#include "measure/involvement.h"

#include <algorithm>
#include <cmath>

#include "native/harness.h"

using namespace jcs;

namespace {

/// Voxels [x0, x1) × [y0, y1) × [z0, z1).
struct Box {
  int64_t x0, x1, y0, y1, z0, z1;

  int64_t voxels() const { return (x1 - x0) * (y1 - y0) * (z1 - z0); }
};

constexpr int64_t kWidth = 40, kHeight = 30, kSlices = 12;

std::vector<data::BitMask> masksOf(std::initializer_list<Box> boxes, std::initializer_list<Box> holes = {}) {
  std::vector<data::BitMask> masks;
  for (int64_t z = 0; z < kSlices; ++z) {
    std::vector<uint8_t> mask(kWidth * kHeight);
    const auto paint = [&](const Box& b, uint8_t value) {
      if (z < b.z0 || z >= b.z1) return;
      for (int64_t y = b.y0; y < b.y1; ++y)
        for (int64_t x = b.x0; x < b.x1; ++x) mask[static_cast<size_t>(y * kWidth + x)] = value;
    };
    for (const Box& box : boxes) paint(box, 1);
    for (const Box& hole : holes) paint(hole, 0);
    masks.emplace_back(mask);
  }
  return masks;
}

int64_t pixelsOf(std::span<const data::BitMask> masks) {
  int64_t pixels = 0;
  for (const data::BitMask& mask : masks)
    for (const uint8_t value : mask.bytes()) pixels += value;
  return pixels;
}

/// Pixels of 0.5 × 0.8 mm, slices 2.5 mm apart: a voxel is 0.001 ml.
measure::StackGeometry geometryOf() {
  measure::StackGeometry geometry{kWidth, kHeight, {0.5, 0.8}, {}, {}, true};
  for (int64_t z = 0; z < kSlices; ++z) {
    geometry.heightsMm.push_back(-2.5 * static_cast<double>(z));
    geometry.thicknessesMm.push_back(2.5);
  }
  return geometry;
}

constexpr double kVoxelMl = 0.001;
constexpr Box kLeft{4, 16, 5, 25, 0, 12}, kRight{24, 36, 5, 25, 0, 12};

/// Values that tell each slice and column apart.
std::vector<int16_t> hounsfieldOf(size_t slice) {
  std::vector<int16_t> values(kWidth * kHeight);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<int16_t>(-700 + 10 * static_cast<int>(slice) + static_cast<int>(i % kWidth));
  return values;
}

std::vector<int16_t> withoutHounsfield(size_t) { return {}; }

data::SliceInfo sliceAt(std::array<double, 3> positionMm, std::array<double, 6> orientation = {1, 0, 0, 0, 1, 0}) {
  data::SliceInfo info;
  info.width = info.height = 1;
  info.spacing = data::PixelSpacing{0.5, 0.8};
  info.positionMm = positionMm;
  info.orientation = orientation;
  return info;
}

std::variant<measure::StackGeometry, std::string> geometryOf(const std::vector<data::SliceInfo>& infos) {
  data::SliceStore store;
  std::vector<size_t> indices;
  for (const data::SliceInfo& info : infos)
    indices.push_back(store.append(info, std::vector<std::byte>(static_cast<size_t>(info.imageBytes()))));
  return measure::stackGeometry(store, indices);
}

}  // namespace

TEST("components: corners join across rows and slices, faces do not") {
  const auto runsOf = [](std::vector<uint8_t> mask) { return measure::MaskRuns(mask, 4, 2); };
  const std::vector slices{runsOf({1, 1, 0, 1,  //
                                   0, 0, 1, 0}),
                           runsOf({0, 0, 0, 0,  //
                                   1, 0, 0, 0})};
  const measure::Components corners(slices, measure::Connectivity::kCorners),
      faces(slices, measure::Connectivity::kFaces);
  CHECK_EQUAL(corners.count(), size_t{1});
  CHECK_EQUAL(faces.count(), size_t{4});
  // In the order of their first runs.
  CHECK(faces.of(0, 0) == 0 && faces.of(0, 1) == 1 && faces.of(0, 2) == 2 && faces.of(1, 0) == 3);
  const std::vector stacked{runsOf({1, 1, 1, 1, 0, 0, 0, 0}), runsOf({0, 1, 0, 1, 0, 0, 0, 0}),
                            runsOf({1, 1, 0, 0, 0, 0, 0, 1})};
  const measure::Components tower(stacked, measure::Connectivity::kFaces);
  CHECK_EQUAL(tower.count(), size_t{2});
  CHECK(tower.of(1, 0) == 0 && tower.of(1, 1) == 0 && tower.of(2, 0) == 0 && tower.of(2, 1) == 1);
  CHECK_EQUAL(measure::Components({}, measure::Connectivity::kFaces).count(), size_t{0});
}

TEST("runs: intersections are those of the pixels") {
  std::vector<uint8_t> a, b;
  for (int i = 0; i < 300; ++i) {
    a.push_back(i * 7 % 5 < 3);
    b.push_back(i * 11 % 13 < 8);
  }
  const measure::MaskRuns both = measure::MaskRuns(a, 20, 15).intersection(measure::MaskRuns(b, 20, 15));
  std::vector<uint8_t> mask(300);
  for (const measure::Run& run : both)
    for (int64_t x = run.begin; x < run.end; ++x) mask[static_cast<size_t>(run.row * 20 + x)] = 1;
  for (size_t i = 0; i < 300; ++i) CHECK_EQUAL(mask[i], static_cast<uint8_t>(a[i] & b[i]));
  CHECK_EQUAL(both.pixels(), std::ranges::count(mask, uint8_t{1}));
}

TEST("stack geometry: a slice stands for half the way to its neighbours") {
  const auto result = geometryOf({sliceAt({9, 9, 50}), sliceAt({9, 9, 48}), sliceAt({9, 9, 43}), sliceAt({9, 9, 42})});
  const auto& geometry = std::get<measure::StackGeometry>(result);
  const double expected[] = {2, 3.5, 3, 1};
  for (size_t i = 0; i < 4; ++i) CHECK_NEAR(geometry.thicknessesMm[i], expected[i], 1e-12);
  CHECK_NEAR(geometry.pixelMl(1), 0.5 * 0.8 * 3.5 / 1000, 1e-12);
  CHECK(geometry.rowsRunToPatientsLeft);
}

TEST("stack geometry: tilted and turned slices are as far apart as along their normal") {
  const double c = std::cos(0.35), s = std::sin(0.35);
  // Rows run to the patient's right, columns to the front and up: their normal points to the feet.
  const std::array<double, 6> tilted{-1, 0, 0, 0, -c, s};
  std::vector<data::SliceInfo> slices;
  for (int i = 0; i < 3; ++i) slices.push_back(sliceAt({0, 0, -3.0 * i}, tilted));
  const auto result = geometryOf(slices);
  const auto& geometry = std::get<measure::StackGeometry>(result);
  for (const double thickness : geometry.thicknessesMm) CHECK_NEAR(thickness, 3 * c, 1e-12);
  CHECK(!geometry.rowsRunToPatientsLeft);
}

TEST("stack geometry: what is missing is a sentence") {
  const data::SliceInfo first = sliceAt({0, 0, 9}), second = sliceAt({0, 0, 7});
  data::SliceInfo bare = second, coarse = second, unplaced = second;
  bare.spacing.reset();
  coarse.spacing->row = 0.7;
  unplaced.positionMm.reset();
  for (const data::SliceInfo& other : {bare, unplaced}) {
    const auto result = geometryOf({first, other});
    CHECK(std::get<std::string>(result).find("spacing and its place") != std::string::npos);
  }
  CHECK(std::get<std::string>(geometryOf({first, coarse})).find("differ") != std::string::npos);
  CHECK(std::get<std::string>(geometryOf({first, first})).find("one place") != std::string::npos);
  CHECK(std::get<std::string>(geometryOf({first, sliceAt({0, 0, 5}), second})).find("not in order") !=
        std::string::npos);
  CHECK(std::get<std::string>(geometryOf({first})).find("single slice") != std::string::npos);
}

TEST("lungs: small parts apart from them are left out, small holes closed, large ones kept") {
  const measure::StackGeometry geometry = geometryOf();
  const Box trachea{19, 21, 8, 12, 0, 6}, speck{2, 3, 2, 3, 5, 6}, hole{8, 12, 10, 14, 3, 5};
  std::vector<data::BitMask> masks = masksOf({kLeft, kRight, trachea, speck}, {hole});
  const measure::Lungs lungs = measure::findLungs(masks, geometry, withoutHounsfield);
  CHECK_EQUAL(pixelsOf(masks), kLeft.voxels() + kRight.voxels());
  CHECK(masks[4].bytes() == masksOf({kLeft, kRight})[4].bytes());
  int64_t pixels = 0;
  for (const measure::MaskRuns& slice : lungs.slices) pixels += slice.pixels();
  CHECK_EQUAL(pixels, pixelsOf(masks));

  // Pixels of 4 × 4 mm: the same hole has 256 mm², and one of 6 × 6 has 576.
  measure::StackGeometry coarse = geometry;
  coarse.spacing = {4, 4};
  const Box large{8, 14, 10, 16, 0, 12};
  masks = masksOf({kLeft, kRight}, {hole});
  measure::findLungs(masks, coarse, withoutHounsfield);
  CHECK_EQUAL(pixelsOf(masks), kLeft.voxels() + kRight.voxels());
  masks = masksOf({kLeft, kRight}, {large});
  measure::findLungs(masks, coarse, withoutHounsfield);
  CHECK_EQUAL(pixelsOf(masks), kLeft.voxels() + kRight.voxels() - large.voxels());

  masks = masksOf({});
  CHECK_EQUAL(measure::findLungs(masks, geometry, withoutHounsfield).slices.size(), static_cast<size_t>(kSlices));
}

TEST("lungs: air beside the patient is left out, however much, where values are in HU") {
  const measure::StackGeometry geometry = geometryOf();
  const Box pocket{0, kWidth, 26, kHeight, 0, 12};
  CHECK(pocket.voxels() > kLeft.voxels() / 2);
  const int64_t lungs = kLeft.voxels() + kRight.voxels();
  // Tissue in which the boxes lie, with a noise of ±40 HU.
  const auto valuesOf = [&](double lungHu, double pocketHu) -> measure::HounsfieldOf {
    return [=, masks = std::array{masksOf({kLeft, kRight}), masksOf({pocket})}](size_t slice) {
      std::vector<int16_t> values;
      const auto lung = masks[0][slice].bytes(), outside = masks[1][slice].bytes();
      for (size_t i = 0; i < lung.size(); ++i)
        values.push_back(static_cast<int16_t>((lung[i]      ? lungHu
                                               : outside[i] ? pocketHu
                                                            : 40) +
                                              40 - 80.0 * static_cast<double>((i * 7 + slice) % 11) / 10));
      return values;
    };
  };
  const auto kept = [&](const measure::HounsfieldOf& hounsfieldOf) {
    std::vector<data::BitMask> masks = masksOf({kLeft, kRight, pocket});
    measure::findLungs(masks, geometry, hounsfieldOf);
    return pixelsOf(masks);
  };
  CHECK_EQUAL(kept(valuesOf(-830, -944)), lungs);
  CHECK_EQUAL(kept(valuesOf(-930, -1000)), lungs);  // lungs as dark as emphysema makes them do not reach the edge
  CHECK_EQUAL(kept(valuesOf(-830, -850)), lungs + pocket.voxels());  // a lung that the edge cuts
  CHECK_EQUAL(kept(withoutHounsfield), lungs + pocket.voxels());
}

TEST("lungs: left and right part where the least lung is cut, also where they touch") {
  const measure::StackGeometry geometry = geometryOf();
  // Joined in front by a bridge that is thinnest at column 18, in slices whose left lung is wider.
  const Box bridge{16, 24, 5, 9, 2, 9}, gap{18, 19, 6, 9, 2, 9};
  std::vector<data::BitMask> masks = masksOf({kLeft, kRight, bridge}, {gap});
  const measure::Lungs lungs = measure::findLungs(masks, geometry, withoutHounsfield);
  for (size_t s = 0; s < static_cast<size_t>(kSlices); ++s) {
    CHECK(!lungs.isRight(s, 15, 15) && lungs.isRight(s, 15, 24));
    if (s < 2 || s >= 9) continue;
    CHECK(!lungs.isRight(s, 5, 17) && lungs.isRight(s, 5, 19));
    CHECK(!lungs.isRight(s, 8, 17) && lungs.isRight(s, 8, 19));
  }
}

TEST("involvement: exact on boxes of known volume and HU") {
  const measure::StackGeometry geometry = geometryOf();
  std::vector<data::BitMask> lungMasks = masksOf({kLeft, kRight});
  const measure::Lungs lungs = measure::findLungs(lungMasks, geometry, withoutHounsfield);
  // Slices 1 to 4 of the left lung: upper third (0 to 3) and middle third. 2 columns of the second box are outside.
  const Box first{6, 10, 8, 13, 1, 5}, second{34, 38, 20, 22, 10, 12}, outside{1, 3, 1, 3, 0, 1};
  const std::vector<data::BitMask> lesions = masksOf({first, second, outside});
  const measure::Involvement result = measure::measureInvolvement(lungs, lesions, geometry, hounsfieldOf);

  CHECK_NEAR(result.total().lungMl, static_cast<double>(kLeft.voxels() + kRight.voxels()) * kVoxelMl, 1e-9);
  CHECK_NEAR(result.total().lesionMl, (80 + 8) * kVoxelMl, 1e-9);
  CHECK_NEAR(result.outsideMl, (8 + 4) * kVoxelMl, 1e-9);
  CHECK_NEAR(result.total().percent(), 100.0 * 88 / 5760, 1e-9);
  CHECK_NEAR(result.side(false).lungMl, 2880 * kVoxelMl, 1e-9);
  CHECK_NEAR(result.side(false).lesionMl, 80 * kVoxelMl, 1e-9);
  CHECK_NEAR(result.side(true).lesionMl, 8 * kVoxelMl, 1e-9);
  for (const auto& side : result.regions)
    for (const measure::PartInvolvement& region : side) CHECK_NEAR(region.lungMl, 960 * kVoxelMl, 1e-9);
  CHECK_NEAR(result.regions[0][0].lesionMl, 60 * kVoxelMl, 1e-9);
  CHECK_NEAR(result.regions[0][1].lesionMl, 20 * kVoxelMl, 1e-9);
  CHECK_NEAR(result.regions[1][2].lesionMl, 8 * kVoxelMl, 1e-9);
  CHECK_EQUAL(result.severityScore(), 2);  // 6.25 % and 2.1 %; 0.8 % is none

  CHECK_EQUAL(result.lesions.size(), size_t{2});
  const measure::VolumeLesion& largest = result.lesions[0];
  CHECK_NEAR(largest.volumeMl, 80 * kVoxelMl, 1e-9);
  CHECK_NEAR(largest.meanHu.value(), -700 + 10 * 2.5 + 7.5, 1e-9);
  CHECK(largest.firstSlice == 1 && largest.lastSlice == 4 && !largest.right && largest.third == measure::Third::kUpper);
  CHECK_NEAR(largest.centroidX, 7.5, 1e-9);
  CHECK_NEAR(largest.centroidY, 10, 1e-9);
  CHECK(result.lesions[1].right && result.lesions[1].third == measure::Third::kLower);
  CHECK_NEAR(result.lesions[1].meanHu.value(), -700 + 10 * 10.5 + 34.5, 1e-9);
  for (size_t s = 0; s < static_cast<size_t>(kSlices); ++s)
    CHECK_NEAR(result.lesionAreasMm2[s], (s >= 1 && s < 5 ? 20 : s >= 10 ? 4 : 0) * 0.4, 1e-9);
}

TEST("involvement: slices count by what they stand for, and without HU there is no mean") {
  measure::StackGeometry geometry = geometryOf();
  geometry.thicknessesMm[3] = 12.5;
  std::vector<data::BitMask> lungMasks = masksOf({kLeft, kRight});
  const measure::Lungs lungs = measure::findLungs(lungMasks, geometry, withoutHounsfield);
  const std::vector<data::BitMask> lesions = masksOf({Box{6, 10, 8, 13, 3, 4}});
  const measure::Involvement result =
      measure::measureInvolvement(lungs, lesions, geometry, [](size_t) { return std::vector<int16_t>(); });
  CHECK_NEAR(result.total().lesionMl, 20 * 5 * kVoxelMl, 1e-9);
  CHECK_NEAR(result.total().lungMl, 480 * (11 + 5) * kVoxelMl, 1e-9);
  CHECK(!result.lesions[0].meanHu);
  // Of 40 mm of lung the thick slice has 7.5 to 20: its centre lies in the middle third.
  CHECK_NEAR(result.regions[0][1].lesionMl, 20 * 5 * kVoxelMl, 1e-9);
}

TEST("involvement: the severity score is that of the six zones") {
  measure::Involvement result;
  CHECK_EQUAL(result.severityScore(), 0);
  const double percents[] = {0.9, 1, 25, 49.9, 75, 100};
  for (size_t i = 0; i < 6; ++i) result.regions[i / 3][i % 3] = {100, percents[i]};
  CHECK_EQUAL(result.severityScore(), 0 + 1 + 2 + 2 + 4 + 4);
}

TEST("involvement: lesions that touch at a corner in the next slice are one") {
  const measure::StackGeometry geometry = geometryOf();
  std::vector<data::BitMask> lungMasks = masksOf({kLeft, kRight});
  const measure::Lungs lungs = measure::findLungs(lungMasks, geometry, withoutHounsfield);
  const std::vector<data::BitMask> lesions =
      masksOf({Box{6, 8, 8, 10, 2, 3}, Box{8, 10, 10, 12, 3, 4}, Box{13, 14, 8, 9, 5, 6}});
  CHECK_EQUAL(measure::measureInvolvement(lungs, lesions, geometry, hounsfieldOf).lesions.size(), size_t{2});
}
