#include "diagnosis/maps.h"

#include <cmath>
#include <string>

#include "io/safetensors.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/test_files.h"

using namespace jcs;

TEST("resizeMap: agrees with torch's bilinear interpolate") {
  std::vector<float> map;
  for (int i = 0; i < 12; ++i) map.push_back(static_cast<float>(i * 5 % 13) / 13);
  // torch.nn.functional.interpolate(size=(5, 7), mode='bilinear', align_corners=False) of the 3×4 map, in float64.
  const float expected[] = {0.0f,         0.137362637f, 0.357142857f, 0.576923077f, 0.725274725f,  0.373626374f,
                            0.153846154f, 0.215384615f, 0.352747253f, 0.572527473f, 0.592307692f,  0.569230769f,
                            0.446153846f, 0.369230769f, 0.538461538f, 0.675824176f, 0.895604396f,  0.615384615f,
                            0.335164835f, 0.554945055f, 0.692307692f, 0.261538462f, 0.398901099f,  0.618681319f,
                            0.638461538f, 0.615384615f, 0.492307692f, 0.415384615f, 0.0769230769f, 0.214285714f,
                            0.434065934f, 0.653846154f, 0.802197802f, 0.450549451f, 0.230769231f};
  const auto resized = diagnosis::resizeMap(map, 4, 3, 7, 5);
  CHECK(resized.size() == 35);
  for (size_t i = 0; i < 35; ++i) CHECK(std::abs(resized[i] - expected[i]) < 1e-6f);
  CHECK(diagnosis::resizeMap(map, 4, 3, 4, 3) == map);
  CHECK(codeOf([&] { diagnosis::resizeMap(map, 4, 4, 7, 5); }) == errors::kShapeMismatch);
  CHECK(codeOf([&] { diagnosis::resizeMap(map, 4, 3, 0, 5); }) == errors::kShapeMismatch);
}

TEST("resizeMap: agrees with torch on the fixtures") {
  const auto file = io::SafetensorsFile::open(fixturePath("resizing.safetensors"));
  const Tensor maps = file.load("small");
  const int64_t height = maps.shape()[2], width = maps.shape()[3], pixels = height * width;
  for (const std::string name : {"up", "down", "one", "mixed"}) {
    const Tensor expected = file.load("bilinear_" + name);
    const int64_t targetHeight = expected.shape()[2], targetWidth = expected.shape()[3];
    for (int64_t channel = 0; channel < 2; ++channel) {
      const auto map = maps.as<float>().subspan(static_cast<size_t>(channel * pixels), static_cast<size_t>(pixels));
      const auto result = diagnosis::resizeMap(map, width, height, targetWidth, targetHeight);
      const float* wanted = expected.as<float>().data() + channel * targetHeight * targetWidth;
      for (size_t i = 0; i < result.size(); ++i) CHECK_NEAR(result[i], wanted[i], 1e-6);
    }
  }
}
