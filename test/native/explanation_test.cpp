#include "metrics/explanation.h"

#include <cmath>
#include <limits>
#include <vector>

#include "io/safetensors.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/test_files.h"

using namespace jcs;

namespace {

using Map = std::vector<float>;
using Mask = std::vector<uint8_t>;

Mask maskOf(std::span<const float> values) { return {values.begin(), values.end()}; }

}  // namespace

TEST("explanation: pointing and mass of every map are what numpy computes from distances") {
  const auto file = io::SafetensorsFile::open(fixturePath("explanations.safetensors"));
  const Tensor maps = file.load("maps"), lesions = file.load("lesions"), lungTensor = file.load("lungs");
  const int64_t count = maps.shape()[0], height = maps.shape()[1], width = maps.shape()[2];
  const auto pixels = static_cast<size_t>(height * width);
  const Mask lungs = maskOf(lungTensor.as<float>());
  CHECK(count == 10);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const metrics::Metrics found =
        metrics::explanationMetrics(maps.as<float>().subspan(i * pixels, pixels),
                                    maskOf(lesions.as<float>().subspan(i * pixels, pixels)), lungs, width, height);
    for (const auto& [ours, theirs] :
         {std::pair("pointingGame", "pointing_game"), std::pair("massInLesions", "mass_in_lesions"),
          std::pair("pointingGameAtRandom", "pointing_game_at_random"),
          std::pair("massInLesionsAtRandom", "mass_in_lesions_at_random")})
      CHECK(std::abs(found.at(ours) - file.load(theirs).as<float>()[i]) < 1e-6);
  }
}

TEST("explanation: the tolerance is 15 pixels of 512, in all directions and cut off at the borders") {
  constexpr int64_t kWidth = 512, kHeight = 40;
  Mask lesions(kWidth * kHeight, 0);
  lesions[20 * kWidth + 300] = 1;
  const auto pointsAt = [&](int64_t x, int64_t y) {
    Map map(kWidth * kHeight, 0.0f);
    map[static_cast<size_t>(y * kWidth + x)] = 1;
    return metrics::explanationMetrics(map, lesions, {}, kWidth, kHeight).at("pointingGame");
  };
  CHECK_EQUAL(pointsAt(300, 20), 1.0);
  CHECK_EQUAL(pointsAt(315, 20), 1.0);
  CHECK_EQUAL(pointsAt(316, 20), 0.0);
  CHECK_EQUAL(pointsAt(285, 20), 1.0);
  CHECK_EQUAL(pointsAt(284, 20), 0.0);
  CHECK_EQUAL(pointsAt(309, 32), 1.0);  // 9² + 12² = 15²
  CHECK_EQUAL(pointsAt(310, 32), 0.0);
  CHECK_EQUAL(pointsAt(300, 5), 1.0);
  CHECK_EQUAL(pointsAt(300, 4), 0.0);
  lesions[0] = 1;
  CHECK_EQUAL(pointsAt(0, 15), 1.0);
  CHECK_EQUAL(pointsAt(511, 0), 0.0);  // no neighbour of a row's end, which lies beside the next row's begin
}

TEST("explanation: without lungs there is no chance to compare with; a map of zeros explains nothing") {
  const Mask lesions{0, 1, 0, 0}, lungs{1, 1, 0, 0};
  const metrics::Metrics without = metrics::explanationMetrics(Map{0, 1, 0, 1}, lesions, {}, 4, 1);
  CHECK(without.at("pointingGame") == 0.5 && without.at("massInLesions") == 0.5);
  CHECK(std::isnan(without.at("pointingGameAtRandom")) && std::isnan(without.at("massInLesionsAtRandom")));
  const metrics::Metrics zero = metrics::explanationMetrics(Map{0, 0, 0, 0}, lesions, lungs, 4, 1);
  CHECK(zero.at("pointingGame") == 0 && zero.at("massInLesions") == 0);
  CHECK(zero.at("pointingGameAtRandom") == 0.5 && zero.at("massInLesionsAtRandom") == 0.5);
  const metrics::Metrics elsewhere = metrics::explanationMetrics(Map{0, 1, 0, 0}, lesions, Mask{0, 0, 0, 0}, 4, 1);
  CHECK(std::isnan(elsewhere.at("pointingGameAtRandom")));
}

TEST("explanation: what cannot be scored is refused") {
  const Map map{0, 1};
  const Mask lesions{0, 1};
  const auto code = [](const Map& m, const Mask& l, const Mask& lungs, int64_t width, int64_t height) {
    return codeOf([&] { metrics::explanationMetrics(m, l, lungs, width, height); });
  };
  CHECK(code(map, lesions, {}, 3, 1) == errors::kInvalidArgument);
  CHECK(code(map, lesions, {}, 0, 1) == errors::kInvalidArgument);
  CHECK(code(map, Mask{1}, {}, 2, 1) == errors::kInvalidArgument);
  CHECK(code(map, lesions, Mask{1}, 2, 1) == errors::kInvalidArgument);
  CHECK(code(map, Mask{0, 0}, {}, 2, 1) == errors::kInvalidArgument);
  CHECK(code(Map{-0.5f, 1}, lesions, {}, 2, 1) == errors::kInvalidArgument);
  CHECK(code(Map{std::numeric_limits<float>::quiet_NaN(), 1}, lesions, {}, 2, 1) == errors::kNotFinite);
}
