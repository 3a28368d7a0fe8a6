#include "diagnosis/inference.h"

#include <cmath>

#include "diagnosis/lesions.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/images.h"
#include "native/pixel_programs.h"

/// Classification and segmentation of slices, from pixels to results, against the network fed by hand.

using namespace jcs;

namespace {

std::shared_ptr<Model> smallModel(const std::string& network, Variant variant, int64_t inputSize) {
  auto model =
      Model::create({.network = network, .variant = variant, .width = 0.05}, {.device = "cpu", .precision = "fp32"}, 3);
  model->setInputSize(inputSize);
  return model;
}

/// Slices of several sizes and formats.
std::vector<Slice> someSlices() {
  std::vector<Slice> slices;
  const auto pattern = [](int64_t x, int64_t y) { return (x * x * 3 + y * 7 + x * y) % 256; };
  slices.push_back({grayImage(70, 50, pattern), std::pair{0.5, 2.0}});
  slices.push_back({grayImage(64, 64, pattern), std::nullopt});
  std::vector<float> floats;
  for (int64_t i = 0; i < 33 * 90; ++i) floats.push_back(0.5f + 0.5f * std::sin(static_cast<float>(i % 33 + i / 66)));
  slices.push_back({floatImage(33, 90, floats), std::nullopt});
  return slices;
}

/// The pixels in [0, 1] of a slice resized to height × width, cut to the input's size and normalised.
Tensor networkInput(const Pixels& pixels, const InputGeometry& g, int64_t size) {
  const std::vector<float> rgb = resized(pixels, g.height, g.width);
  const Normalization imageNet;
  Tensor input(DType::kF32, {1, size, size, 3});
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        const auto channel = static_cast<size_t>(c);
        const auto from = static_cast<size_t>(((y + g.top) * g.width + x + g.left) * 3 + c);
        input.as<float>()[static_cast<size_t>((y * size + x) * 3 + c)] =
            (rgb[from] - imageNet.mean[channel]) / imageNet.deviation[channel];
      }
  return input;
}

}  // namespace

TEST("inference: slices are classified as the network classifies their pixels") {
  for (const Variant variant : {Variant::kPaper, Variant::kAuthors}) {
    const auto model = smallModel("res2net50-v1b", variant, 64);
    const std::vector<Slice> slices = someSlices();
    const auto together = classifySlices(*model, slices, 16, true, nullptr);
    for (size_t i = 0; i < slices.size(); ++i) {
      const Pixels& pixels = slices[i].pixels;
      const InputGeometry g = inputGeometry(model->spec(), 64, pixels.height, pixels.width);
      // The authors resize the shorter side to 256/224 of the input and cut out the centre.
      CHECK_EQUAL(std::min(g.height, g.width), variant == Variant::kAuthors ? int64_t{73} : int64_t{64});
      const auto outputs = model->forward(networkInput(pixels, g, 64), false);
      const auto logits = outputs.at("logits").as<float>();
      CHECK_NEAR(together[i].probability, 1 / (1 + std::exp(logits[0] - logits[1])), 1e-5);
      CHECK_EQUAL(together[i].activationMap.size(), static_cast<size_t>(pixels.width * pixels.height));
      const auto alone = classifySlices(*model, std::span(&slices[i], 1), 1, false, nullptr);
      CHECK_NEAR(alone[0].probability, together[i].probability, 1e-6);
    }
  }
}

TEST("inference: slices are segmented as the network segments their pixels, at the source's size") {
  const auto model = smallModel("jcs-segmentation", Variant::kPaper, 64);
  const std::vector<Slice> slices = someSlices();
  SegmentationRequest request;
  request.probabilities = true;
  request.threshold = 0.47f;
  const auto together = segmentSlices(*model, slices, 4, request, nullptr);
  int64_t lesions = 0, total = 0;
  for (size_t i = 0; i < slices.size(); ++i) {
    const Pixels& pixels = slices[i].pixels;
    const auto outputs = model->forward(networkInput(pixels, {64, 64, 0, 0}, 64), false);
    const std::vector<float> expected = resizeMap(outputs.at("side1").as<float>(), 64, 64, pixels.width, pixels.height);
    const SliceSegmentation& result = together[i];
    CHECK_EQUAL(result.probabilities.size(), expected.size());
    CHECK_EQUAL(result.mask.size(), expected.size());
    int64_t area = 0;
    for (size_t p = 0; p < expected.size(); ++p) {
      CHECK_NEAR(result.probabilities[p], expected[p], 1e-5);
      CHECK_EQUAL(result.mask[p], static_cast<uint8_t>(result.probabilities[p] > request.threshold));
      area += result.mask[p];
    }
    CHECK_EQUAL(result.areaPixels, area);
    CHECK_EQUAL(result.areaMm2.has_value(), slices[i].spacingMm.has_value());
    if (result.areaMm2) CHECK_EQUAL(*result.areaMm2, static_cast<double>(area));  // pixels of 0.5 × 2 mm
    lesions += area;
    total += static_cast<int64_t>(expected.size());
    request.probabilities = false;
    const auto alone = segmentSlices(*model, std::span(&slices[i], 1), 4, request, nullptr);
    CHECK(alone[0].mask == result.mask && alone[0].probabilities.empty());
  }
  CHECK(lesions > 0 && lesions < total);  // or the threshold tells nothing
}

TEST("inference: a network whose values are not finite is an error, not a mask") {
  for (const std::string network : {"jcs-segmentation", "res2net50-v1b"}) {
    const auto model = smallModel(network, Variant::kPaper, 64);
    for (const ParameterInfo& parameter : model->parameters()) {
      Tensor broken(DType::kF32, parameter.shape);
      std::ranges::fill(broken.as<float>(), NAN);
      model->setParameter(parameter.name, broken);
    }
    const std::vector<Slice> slices = someSlices();
    const bool classifier = model->task() == Task::kClassification;
    CHECK_EQUAL(codeOf([&] {
                  if (classifier) {
                    classifySlices(*model, slices, 4, false, nullptr);
                  } else {
                    segmentSlices(*model, slices, 4, {}, nullptr);
                  }
                }),
                std::string(errors::kNotFinite));
  }
}
