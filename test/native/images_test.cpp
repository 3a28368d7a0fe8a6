#include "data/slice.h"

#include <cmath>

#include "io/safetensors.h"
#include "native/compiled.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/image_programs.h"
#include "native/images.h"
#include "native/test_files.h"
#include "nn/normalize.h"
#include "ops/images.h"

using namespace jcs;

TEST("pixels: antialiased resizing agrees with torch") {
  const data::DecodedSlice image =
      grayImage(7, 5, [](int64_t x, int64_t y) { return (y * 7 + x) * (y * 7 + x) * 29 % 251; });
  // torch.nn.functional.interpolate(mode='bilinear', antialias=True) of image / 255 in float64.
  const float smaller[] = {0.2648793f, 0.3317871f, 0.6886050f, 0.5349873f, 0.7464467f, 0.5124706f,
                           0.4963312f, 0.4072829f, 0.6172602f, 0.4804706f, 0.3082353f, 0.4448179f};
  const float larger[] = {0.0000000f, 0.0924020f, 0.3482843f, 0.2210784f, 0.3875000f, 0.8475490f, 0.7399510f,
                          0.1568627f, 0.4882353f, 0.3512255f, 0.3600490f, 0.4010417f, 0.6433824f, 0.8563725f,
                          0.6401348f, 0.4274510f, 0.6418301f, 0.7164420f, 0.5584150f, 0.4633170f, 0.5388072f,
                          0.6567198f, 0.6068627f, 0.3392157f, 0.7611111f, 0.9140523f, 0.5584150f, 0.4195057f,
                          0.3999183f, 0.3714869f, 0.4059845f, 0.2166667f, 0.8460784f, 0.7441176f, 0.4523284f,
                          0.3772672f, 0.3343750f, 0.2467525f, 0.2835784f, 0.3058824f, 0.5725490f, 0.2411765f,
                          0.7174020f, 0.4414216f, 0.1514706f, 0.4627451f, 0.7600490f, 0.5529412f};
  for (const auto& backend : pixelBackends()) {
    const auto down = resized(image, 3, 4, backend), up = resized(image, 6, 8, backend);
    for (size_t i = 0; i < 12; ++i)
      for (size_t c = 0; c < 3; ++c) CHECK(std::abs(down[3 * i + c] - smaller[i]) < 1e-6f);
    for (size_t i = 0; i < 48; ++i) CHECK(std::abs(up[3 * i] - larger[i]) < 1e-6f);
  }
}

TEST("pixels: antialiased resizing agrees with torch and Pillow on the fixtures") {
  const auto file = io::SafetensorsFile::open(fixturePath("resizing.safetensors"));
  const Tensor real = file.load("real"), gray = file.load("gray");
  const int64_t height = real.shape()[0], width = real.shape()[1];
  const data::DecodedSlice floats = floatImage(width, height, {real.as<float>().begin(), real.as<float>().end()});
  const data::DecodedSlice bytes = grayImage(width, height, [&](int64_t x, int64_t y) {
    return static_cast<int>(gray.as<float>()[static_cast<size_t>(y * width + x)]);
  });
  for (const std::string name : {"down", "up", "mixed"}) {
    const Tensor torch = file.load("antialias_" + name), pillow = file.load("pillow_gray_" + name);
    for (const auto& backend : pixelBackends()) {
      const auto fromFloats = resized(floats, torch.shape()[0], torch.shape()[1], backend);
      const auto fromBytes = resized(bytes, torch.shape()[0], torch.shape()[1], backend);
      for (size_t i = 0; i < static_cast<size_t>(torch.elements()); ++i) {
        CHECK_NEAR(fromFloats[3 * i], torch.as<float>()[i], 2e-6);
        // Pillow rounds to whole bytes, after each of the two axes.
        CHECK_NEAR(255 * fromBytes[3 * i], pillow.as<float>()[i], 1.01);
      }
    }
  }
}

TEST("pixels: the same size is the same image, in every format") {
  for (const auto& backend : pixelBackends()) {
    const auto u8 = resized(grayImage(3, 2, [](int64_t x, int64_t y) { return 51 * (x + y); }), 2, 3, backend);
    CHECK(u8[0] == 0 && u8[3] == 0.2f && u8[15] == 0.6f);
    const uint16_t words[] = {0, 65535, 13107, 257, 1, 2};
    const auto color = resized(sliceOf<uint16_t>(PixelFormat::kU16, 1, 2, words, 3), 2, 1, backend);
    CHECK(color[0] == 0 && color[1] == 1 && color[2] == 0.2f && color[3] == 257 / 65535.0f);
    CHECK(resized(floatImage(2, 1, {0.25f, 0.75f}), 1, 2, backend) ==
          std::vector<float>({0.25f, 0.25f, 0.25f, 0.75f, 0.75f, 0.75f}));
    CHECK(resized(floatImage(1, 1, {0.25f}), 2, 2, backend) == std::vector<float>(12, 0.25f));
  }
}

TEST("pixels: a window stretches signed values over [0, 1]") {
  // DICOM PS3.3 C.11.2.1.3.2 with centre -600 and width 1500, hence from -1350 to 150.
  const int16_t hounsfield[] = {-32768, -1350, -600, -225, 150, 3000};
  const float expected[] = {0, 0, 0.5f, 0.75f, 1, 1};
  data::DecodedSlice image = sliceOf<int16_t>(PixelFormat::kI16, 6, 1, hounsfield);
  image.info.window = data::IntensityWindow{-600, 1500};
  for (const auto& backend : pixelBackends()) {
    const auto rgb = resized(image, 1, 6, backend);
    for (size_t i = 0; i < 6; ++i) CHECK(rgb[3 * i] == expected[i] && rgb[3 * i + 2] == expected[i]);
    // Clamped before it is averaged.
    CHECK_NEAR(resized(image, 1, 1, backend)[0], (0 * 7 + 0 * 9 + 0.5 * 11 + 0.75 * 11 + 1 * 9 + 1 * 7) / 54, 1e-6);
  }
}

TEST("pixels: images are normalised with ImageNet's statistics") {
  Graph graph;
  const data::Normalization imageNet;
  graph.output("y", normalize(graph.input("x", {DType::kF32, {2, 1, 1, 3}}), imageNet.mean, imageNet.deviation));
  NamedTensors inputs;
  inputs["x"] = Tensor::fromFloats({2, 1, 1, 3}, std::vector{0.5f, 0.5f, 0.5f, 0.0f, 0.0f, 0.0f});
  const NamedTensors results = CompiledGraph(graph, {}).run(inputs);
  const double expected[] = {(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225,
                             -0.485 / 0.229,        -0.456 / 0.224,        -0.406 / 0.225};
  for (size_t i = 0; i < 6; ++i)
    CHECK(std::abs(static_cast<double>(results.at("y").as<float>()[i]) - expected[i]) < 1e-6);
}

TEST("pixels: bad images are typed errors") {
  const auto codeOfPixels = [](const data::DecodedSlice& s) {
    return codeOf([&] { data::validate(s.info, s.pixels); });
  };
  const auto sized = [](size_t bytes, int64_t width, int64_t height, int64_t channels) {
    return sliceOf<uint8_t>(PixelFormat::kU8, width, height, std::vector<uint8_t>(bytes), channels);
  };
  CHECK(codeOfPixels(sized(6, 3, 2, 1)) == "");
  CHECK(codeOfPixels(sized(0, 0, 0, 1)) == errors::kInvalidArgument);
  CHECK(codeOfPixels(sized(0, 0, 5, 1)) == errors::kInvalidArgument);
  CHECK(codeOfPixels(sized(6, -3, -2, 1)) == errors::kInvalidArgument);
  CHECK(codeOfPixels(sized(5, 3, 2, 1)) == errors::kInvalidArgument);
  CHECK(codeOfPixels(sized(12, 3, 2, 2)) == errors::kInvalidArgument);
  CHECK(codeOfPixels(sized(4, int64_t{1} << 40, int64_t{1} << 40, 1)) == errors::kInputTooLarge);
  CHECK(codeOfPixels(sized(4, (int64_t{1} << 28) + 1, 1, 1)) == errors::kInputTooLarge);
  CHECK(codeOfPixels(floatImage(2, 1, {0, NAN})) == errors::kNotFinite);
  CHECK(codeOfPixels(floatImage(2, 1, {-INFINITY, 0})) == errors::kNotFinite);
  const auto changed = [](auto change) {
    data::DecodedSlice slice = sliceOf<int16_t>(PixelFormat::kI16, 1, 1, std::vector<int16_t>(1));
    slice.info.window = data::IntensityWindow{-600, 1500};
    change(slice.info);
    return slice;
  };
  CHECK(codeOfPixels(changed([](data::SliceInfo&) {})) == "");
  const auto refuses = [&](auto change) { return codeOfPixels(changed(change)) == errors::kInvalidArgument; };
  CHECK(refuses([](data::SliceInfo& s) { s.window = data::IntensityWindow{0, 0}; }));
  CHECK(refuses([](data::SliceInfo& s) { s.window = data::IntensityWindow{NAN, 1}; }));
  CHECK(refuses([](data::SliceInfo& s) { s.spacing = data::PixelSpacing{0.7, 0}; }));
  CHECK(refuses([](data::SliceInfo& s) { s.spacing = data::PixelSpacing{NAN, 1}; }));
  CHECK(refuses([](data::SliceInfo& s) { s.label = 2; }));
  const data::DecodedSlice holed = floatImage(2, 2, {0, 0, NAN, 0});
  CHECK(messageOf([&] { data::validate(holed.info, holed.pixels); }).find("column 0, row 1") != std::string::npos);
}
