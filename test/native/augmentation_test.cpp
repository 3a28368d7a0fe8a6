#include "data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "io/safetensors.h"
#include "native/harness.h"
#include "native/image_programs.h"
#include "native/samples.h"
#include "native/test_files.h"

using namespace jcs;

TEST("augmentation: nothing asked, nothing done") {
  std::vector<float> rgb = resized(sampleOf(1, 0, false), 16, 20), mask(320, 1.0f);
  const std::vector<float> before = rgb;
  augment(data::AugmentationOptions::none(), {1, 2, 3}, 16, 20, rgb, mask);
  CHECK(rgb == before && mask == std::vector<float>(320, 1.0f));
}

TEST("augmentation: flips move every pixel and its mask exactly") {
  for (const int64_t width : {7, 8}) {
    const int64_t height = 5;
    std::vector<float> rgb, mask;
    for (int64_t i = 0; i < height * width; ++i) {
      for (int c = 0; c < 3; ++c) rgb.push_back(static_cast<float>(3 * i + c) / 200);
      mask.push_back(static_cast<float>(i % 3 == 0));
    }
    data::AugmentationOptions horizontal, vertical;
    horizontal.horizontalFlip = vertical.verticalFlip = 1;
    for (const bool across : {true, false}) {
      std::vector<float> flipped = rgb, flippedMask = mask;
      augment(across ? horizontal : vertical, {1, 0, 0}, height, width, flipped, flippedMask);
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x) {
          const auto from = static_cast<size_t>(across ? y * width + width - 1 - x : (height - 1 - y) * width + x);
          const auto to = static_cast<size_t>(y * width + x);
          CHECK(flippedMask[to] == mask[from]);
          for (size_t c = 0; c < 3; ++c) CHECK(flipped[3 * to + c] == rgb[3 * from + c]);
        }
    }
  }
}

TEST("augmentation: the authors' crop cuts whole pixels from both sides and resizes back") {
  // A linear ramp stays one under a crop: x ↦ margin + (x + ½)(W − 2·margin)/W − ½.
  const int64_t side = 224;
  data::AugmentationOptions options;
  options.symmetricCrop = 7.0f / 224;
  std::set<int> margins;
  int untouched = 0;
  for (uint32_t sample = 0; sample < 60; ++sample) {
    std::vector<float> rgb(static_cast<size_t>(side * side * 3)), mask;
    for (int64_t i = 0; i < side * side; ++i)
      for (size_t c = 0; c < 3; ++c) rgb[static_cast<size_t>(3 * i) + c] = static_cast<float>(i % side);
    const std::vector<float> before = rgb;
    augment(options, {5, 0, sample}, side, side, rgb, mask);
    untouched += rgb == before;
    // Inverting the formula at x = 100 gives the margin.
    const double slope = static_cast<double>(rgb[3 * 150] - rgb[3 * 50]) / 100;
    const double margin = (1 - slope) * static_cast<double>(side) / 2;
    CHECK(std::abs(margin - std::round(margin)) < 1e-3 && margin > -0.1 && margin < 7.1);
    CHECK(std::abs(static_cast<double>(rgb[3 * 100]) - (margin + 100.5 * slope - 0.5)) < 1e-2);
    margins.insert(static_cast<int>(std::lround(margin)));
  }
  CHECK(margins.size() == 8);  // 0 … 7 all occur
  CHECK(untouched > 15 && untouched < 45);
}

TEST("augmentation: the paper's crop stays inside the image") {
  const int64_t side = 40;
  data::AugmentationOptions options;
  options.cropMargin = 0.25f;
  double smallestSlope = 1;
  for (uint32_t sample = 0; sample < 50; ++sample) {
    std::vector<float> rgb(static_cast<size_t>(side * side * 3), 1.0f), mask(static_cast<size_t>(side * side));
    for (size_t i = 0; i < mask.size(); ++i) rgb[3 * i] = static_cast<float>(i % static_cast<size_t>(side));
    augment(options, {5, 0, sample}, side, side, rgb, mask);
    CHECK(*std::ranges::min_element(rgb) >= 0 && rgb[3 * 5] < rgb[3 * 30]);
    for (size_t i = 0; i < mask.size(); ++i) CHECK(rgb[3 * i + 1] == 1);  // no black border came in
    smallestSlope = std::min(smallestSlope, static_cast<double>(rgb[3 * 30] - rgb[3 * 10]) / 20);
  }
  CHECK(smallestSlope >= 0.5 && smallestSlope < 0.75);
}

TEST("augmentation: rotation by a quarter turn lands where geometry says") {
  const int64_t side = 9;
  std::vector<float> rgb(side * side * 3, 0.0f), mask(side * side, 0.0f);
  mask[1 * side + 4] = 1;  // above the centre
  data::AugmentationOptions options;
  options.rotationDegrees = 180;
  bool left = false, right = false, below = false;
  for (uint32_t sample = 0; sample < 300; ++sample) {
    std::vector<float> image = rgb, turned = mask;
    augment(options, {1, 0, sample}, side, side, image, turned);
    for (int64_t i = 0; i < side * side; ++i) {
      if (turned[static_cast<size_t>(i)] == 0) continue;
      const double dx = static_cast<double>(i % side - 4), dy = static_cast<double>(i / side - 4);
      CHECK(std::abs(std::hypot(dx, dy) - 3) < 0.8);
      left |= dx == -3 && dy == 0;
      right |= dx == 3 && dy == 0;
      below |= dy == 3 && dx == 0;
    }
  }
  CHECK(left && right && below);
}

TEST("augmentation: an elastic deformation is smooth, bounded, another in every sample, and the mask's too") {
  const int64_t height = 48, width = 64;
  data::AugmentationOptions options;
  options.elastic = 0.05f;
  std::vector<float> ramps, half;
  for (int64_t i = 0; i < height * width; ++i) {
    // A ramp along each axis says where a pixel came from.
    ramps.insert(ramps.end(), {static_cast<float>(i % width) / 64, static_cast<float>(i / width) / 64, 0});
    half.push_back(static_cast<float>(i % width >= 32));
  }
  const double limits[] = {0.05 * width, 0.05 * height};
  double largest = 0;
  std::vector<float> previous;
  for (uint32_t sample = 0; sample < 40; ++sample) {
    std::vector<float> rgb = ramps, mask = half;
    augment(options, {8, 2, sample}, height, width, rgb, mask);
    CHECK(rgb != previous);
    previous = rgb;
    for (int64_t y = 4; y < height - 4; ++y)
      for (int64_t x = 4; x < width - 4; ++x) {
        const auto at = [&](int64_t row, int64_t column, size_t axis) {
          return 64 * static_cast<double>(rgb[static_cast<size_t>(3 * (row * width + column)) + axis]) -
                 static_cast<double>(axis == 0 ? column : row);
        };
        for (const size_t axis : {0u, 1u}) {
          const double moved = at(y, x, axis);
          CHECK(std::abs(moved) <= limits[axis] + 1e-3);
          largest = std::max(largest, std::abs(moved) / limits[axis]);
          // 3t² − 2t³ is steepest in the middle, 1.5 a cell, and nodes differ by two limits at most.
          const double steepest = 2 * limits[axis] * 1.5 * 4;
          CHECK(std::abs(at(y, x + 1, axis) - moved) <= steepest / width + 0.02 &&
                std::abs(at(y + 1, x, axis) - moved) <= steepest / height + 0.02);
        }
        const double column = static_cast<double>(x) + at(y, x, 0);
        if (std::abs(column - 31.5) > 0.01)
          CHECK(mask[static_cast<size_t>(y * width + x)] == static_cast<float>(column > 31.5));
      }
  }
  CHECK(largest > 0.8);
}

TEST("augmentation: sharpness blurs by the binomial filter, sharpens by its opposite, and leaves plains alone") {
  data::AugmentationOptions options;
  options.sharpness = 1;
  int blurred = 0, sharpened = 0;
  for (uint32_t sample = 0; sample < 40; ++sample) {
    std::vector<float> plain(7 * 7 * 3, 0.4f), point(7 * 7 * 3, 0.25f), mask;
    for (size_t c = 0; c < 3; ++c) point[3 * 24 + c] = 0.5f;
    augment(options, {8, 2, sample}, 7, 7, plain, mask);
    for (const float value : plain) CHECK(std::abs(value - 0.4f) < 1e-6f);
    augment(options, {8, 2, sample}, 7, 7, point, mask);
    const auto change = [&](size_t pixel) {
      return static_cast<double>(point[3 * pixel]) - (pixel == 24 ? 0.5 : 0.25);
    };
    const double sharpness = change(24) / 0.25 / 0.75;
    CHECK(sharpness > -1.001 && sharpness < 1.001);
    (sharpness < 0 ? blurred : sharpened) += 1;
    // (1 2 1)ᵀ(1 2 1)/16 of a point of 0.25: an eighth beside it, a sixteenth at the corner, nothing further away.
    for (const size_t beside : {17u, 23u, 25u, 31u}) CHECK(std::abs(change(beside) + sharpness * 0.25 / 8) < 1e-6);
    for (const size_t corner : {16u, 18u, 30u, 32u}) CHECK(std::abs(change(corner) + sharpness * 0.25 / 16) < 1e-6);
    for (const size_t far : {0u, 10u, 26u, 48u}) CHECK(std::abs(change(far)) < 1e-7);
  }
  CHECK(blurred > 8 && sharpened > 8);
}

TEST("augmentation: intensities stay in [0, 1], gray stays gray, noise has the spread asked for") {
  data::AugmentationOptions options;
  options.gain = 0.5f;
  options.offset = 0.4f;
  options.gamma = 0.5f;
  options.noise = 0.3f;
  for (uint32_t sample = 0; sample < 20; ++sample) {
    std::vector<float> rgb(64 * 64 * 3), mask;
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<float>(i / 3 % 64) / 63;
    augment(options, {3, 0, sample}, 64, 64, rgb, mask);
    for (size_t i = 0; i < rgb.size(); i += 3) {
      CHECK(rgb[i] >= 0 && rgb[i] <= 1);
      CHECK(rgb[i] == rgb[i + 1] && rgb[i] == rgb[i + 2]);
    }
  }
  data::AugmentationOptions noise;
  noise.noise = 0.1f;
  double sum = 0, squares = 0;
  const int images = 40, pixels = 32 * 32;
  for (uint32_t sample = 0; sample < images; ++sample) {
    std::vector<float> rgb(pixels * 3, 0.5f), mask;
    augment(noise, {9, 0, sample}, 32, 32, rgb, mask);
    for (size_t i = 0; i < rgb.size(); i += 3) {
      sum += static_cast<double>(rgb[i]) - 0.5;
      squares += std::pow(static_cast<double>(rgb[i]) - 0.5, 2);
    }
  }
  // A deviation drawn from U(0, 0.1) has a mean square of 0.01/3.
  CHECK(std::abs(sum / (images * pixels)) < 2e-3);
  CHECK(std::abs(squares / (images * pixels) - 0.01 / 3) < 1.2e-3);
}

TEST("augmentation: windows are drawn around the source's own, whatever its values are") {
  data::AugmentationOptions options;
  options.windowCenter = 0.1f;
  options.windowWidth = 0.25f;
  for (const auto& [low, width] : {std::pair{-1350.0f, 1500.0f}, std::pair{0.0f, 1.0f}}) {
    float least = 0, most = 0, narrowest = 1, widest = 1;
    for (uint32_t sample = 0; sample < 500; ++sample) {
      ImageRecord record{.windowLow = low, .windowWidth = width}, again = record;
      data::drawWindow(options, 4, 2, sample, record);
      data::drawWindow(options, 4, 2, sample, again);
      CHECK(record.windowLow == again.windowLow && record.windowWidth == again.windowWidth);
      const float shift = (record.windowLow + record.windowWidth / 2 - (low + width / 2)) / width;
      least = std::min(least, shift);
      most = std::max(most, shift);
      narrowest = std::min(narrowest, record.windowWidth / width);
      widest = std::max(widest, record.windowWidth / width);
    }
    CHECK(least >= -0.1001f && least < -0.098f && most <= 0.1001f && most > 0.098f);
    CHECK(narrowest >= 0.7999f && narrowest < 0.81f && widest <= 1.2501f && widest > 1.24f);
  }
  ImageRecord untouched{.windowLow = -1350, .windowWidth = 1500};
  data::drawWindow(data::AugmentationOptions::scratch(), 4, 2, 0, untouched);
  CHECK(untouched.windowLow == -1350 && untouched.windowWidth == 1500);
}

TEST("area averages: fractions of pixels count by their area") {
  const std::vector<float> mask{1, 0, 0, 1, 1, 0};  // 2 × 3
  const std::vector<float> cells = cellAverages(mask, 2, 3, 1, 2);
  CHECK(std::abs(cells[0] - 2.5f / 3) < 1e-6f && std::abs(cells[1] - 0.5f / 3) < 1e-6f);
  CHECK(cellAverages(mask, 2, 3, 2, 3) == mask);
  CHECK(cellAverages(mask, 2, 3, 1, 1)[0] == 0.5f);
}

TEST("area averages: agree with numpy's on the fixture") {
  const auto file = io::SafetensorsFile::open(fixturePath("resizing.safetensors"));
  const Tensor real = file.load("real"), expected = file.load("area_average");
  const std::vector<float> cells =
      cellAverages(real.as<float>(), real.shape()[0], real.shape()[1], expected.shape()[0], expected.shape()[1]);
  for (size_t i = 0; i < cells.size(); ++i) CHECK_NEAR(cells[i], expected.as<float>()[i], 1e-6);
}
