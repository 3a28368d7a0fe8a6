#include "diagnosis/inference.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/evaluate.h"
#include "diagnosis/maps.h"
#include "native/compiled.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/image_programs.h"
#include "native/images.h"

/// Classification and segmentation of slices, from pixels to results, against the network fed by hand.

using namespace jcs;

namespace {

std::shared_ptr<model::Model> smallModel(const std::string& network, Variant variant, int64_t inputSize) {
  auto model = model::Model::create({.network = network, .variant = variant, .width = 0.05},
                                    {.device = testDevice(), .precision = "fp32"}, 3);
  model->setInputSize(inputSize);
  return model;
}

/// Slices of several sizes and formats, behind one that is not asked for.
struct SomeSlices {
  std::vector<data::DecodedSlice> slices;
  data::SliceStore store;
  std::vector<size_t> indices;

  SomeSlices() {
    const auto pattern = [](int64_t x, int64_t y) { return (x * x * 3 + y * 7 + x * y) % 256; };
    slices.push_back(grayImage(70, 50, pattern));
    slices[0].info.spacing = data::PixelSpacing{0.5, 2};
    slices.push_back(grayImage(64, 64, pattern));
    std::vector<float> floats;
    for (int64_t i = 0; i < 33 * 90; ++i) floats.push_back(0.5f + 0.5f * std::sin(static_cast<float>(i % 33 + i / 66)));
    slices.push_back(floatImage(33, 90, floats));
    store.append(grayImage(9, 9, [](int64_t, int64_t) { return 200; }));
    for (const data::DecodedSlice& slice : slices) indices.push_back(store.append(slice));
  }
  diagnosis::SliceSelection all() const { return {store, indices}; }
  diagnosis::SliceSelection one(size_t i) const { return {store, std::span(&indices[i], 1)}; }
};

/// The pixels in [0, 1] of a slice resized to height × width, cut to the input's size and normalised.
Tensor networkInput(const data::DecodedSlice& slice, const diagnosis::InputGeometry& g, int64_t size) {
  const std::vector<float> rgb = resized(slice, g.height, g.width);
  const data::Normalization imageNet;
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

/// A threshold that half of the pixels pass.
float middle(const Tensor& map) {
  std::vector<float> values(map.as<float>().begin(), map.as<float>().end());
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

}  // namespace

TEST("inference: a batch that is not full takes few programs, and none of its own where preparing one takes long") {
  const data::SliceStore store;
  const std::vector<size_t> indices(20);
  const auto batchOf = [&](size_t count, bool isRemainder, bool preparesSlowly) {
    return diagnosis::programBatch({store, std::span(indices).first(count), isRemainder}, 12, preparesSlowly);
  };
  for (const auto& [count, expected] : {std::pair<size_t, int64_t>{1, 1}, {3, 4}, {9, 12}, {12, 12}, {20, 20}}) {
    CHECK_EQUAL(batchOf(count, false, false), expected);
    CHECK_EQUAL(batchOf(count, false, true), expected);
    CHECK_EQUAL(batchOf(count, true, false), expected);
    CHECK_EQUAL(batchOf(count, true, true), std::max<int64_t>(expected, 12));
  }
}

TEST("inference: slices are classified as the network classifies their pixels") {
  for (const Variant variant : {Variant::kPaper, Variant::kAuthors}) {
    const auto model = smallModel("res2net50-v1b", variant, 64);
    const SomeSlices some;
    const auto together = diagnosis::classifySlices(*model, some.all(), 16, {.explain = true}, nullptr);
    for (size_t i = 0; i < some.slices.size(); ++i) {
      const data::DecodedSlice& slice = some.slices[i];
      const diagnosis::InputGeometry g =
          diagnosis::inputGeometry(model->spec(), 64, slice.info.height, slice.info.width);
      // The authors resize the shorter side to 256/224 of the input and cut out the centre.
      CHECK_EQUAL(std::min(g.height, g.width), variant == Variant::kAuthors ? int64_t{73} : int64_t{64});
      const auto outputs = model->forward(networkInput(slice, g, 64), false);
      const auto logits = outputs.at("logits").as<float>();
      CHECK_NEAR(together[i].probability, 1 / (1 + std::exp(logits[0] - logits[1])), 1e-5);
      CHECK_EQUAL(together[i].activationMap.size(), static_cast<size_t>(slice.info.width * slice.info.height));
      const auto alone = diagnosis::classifySlices(*model, some.one(i), 1, {}, nullptr);
      CHECK_NEAR(alone[0].probability, together[i].probability, 1e-6);
    }
  }
}

TEST("inference: slices of several stores are seen together, each as it is alone") {
  const SomeSlices first, second;
  const diagnosis::SliceSelection both(
      {{&second.store, second.indices[2]}, {&first.store, first.indices[0]}, {&second.store, second.indices[1]}});
  const std::vector<diagnosis::SliceSelection> alone{second.one(2), first.one(0), second.one(1)};
  const auto classifier = smallModel("res2net50-v1b", Variant::kPaper, 64);
  const auto segmenter = smallModel("unet", Variant::kPaper, 64);
  const auto classified = diagnosis::classifySlices(*classifier, both, 4, {}, nullptr);
  const auto segmented = diagnosis::segmentSlices(*segmenter, both, 4, {}, nullptr);
  for (size_t i = 0; i < alone.size(); ++i) {
    CHECK_NEAR(classified[i].probability,
               diagnosis::classifySlices(*classifier, alone[i], 1, {}, nullptr)[0].probability, 1e-6);
    const auto expected = std::move(diagnosis::segmentSlices(*segmenter, alone[i], 1, {}, nullptr)[0]);
    CHECK_EQUAL(segmented[i].areaPixels, expected.areaPixels);
    CHECK(segmented[i].mask.bytes() == expected.mask.bytes());
  }
}

TEST("inference: values in HU are seen through the model's window, unless the slice brings one") {
  const auto model = smallModel("jcs-segmentation", Variant::kPaper, 64);
  std::vector<int16_t> hounsfield;
  for (int64_t i = 0; i < 64 * 64; ++i) hounsfield.push_back(static_cast<int16_t>(i * 37 % 2000 - 1200));
  data::SliceStore store;
  diagnosis::SegmentationRequest request;
  request.probabilities = true;
  const auto mapOf = [&](const data::DecodedSlice& slice) {
    const std::vector indices{store.append(slice)};
    return diagnosis::segmentSlices(*model, {store, indices}, 1, request, nullptr)[0].probabilities;
  };
  const auto seen = [&](std::optional<data::IntensityWindow> own) {
    data::DecodedSlice slice = sliceOf<int16_t>(PixelFormat::kI16, 64, 64, hounsfield);
    slice.info.window = own;
    return mapOf(slice);
  };
  /// The same with the window applied by hand.
  const auto expected = [&](const data::IntensityWindow& window) {
    std::vector<float> shares;
    for (const int16_t value : hounsfield)
      shares.push_back(static_cast<float>(std::clamp((value - window.low()) / window.width, 0.0, 1.0)));
    return mapOf(floatImage(64, 64, shares));
  };
  const auto difference = [](const std::vector<float>& a, const std::vector<float>& b) {
    float most = 0;
    for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most;
  };
  const data::IntensityWindow narrow{-400, 800}, wide{-300, 1900};
  CHECK(difference(expected(narrow), expected(wide)) > 1e-3f);
  CHECK(difference(expected(wide), expected(data::kLungWindow)) > 1e-3f);
  CHECK(difference(seen({}), expected(data::kLungWindow)) < 1e-5f);
  model->setWindow(wide);
  CHECK(difference(seen({}), expected(wide)) < 1e-5f);
  CHECK(difference(seen(narrow), expected(narrow)) < 1e-5f);
  CHECK_EQUAL(codeOf([&] { model->setWindow({-400, 0}); }), std::string(errors::kInvalidArgument));
}

TEST("inference: slices are segmented as the network segments their pixels, at the source's size") {
  // DSS's prediction is a mean of sides.
  for (const std::string network : {"jcs-segmentation", "dss"}) {
    const auto model = smallModel(network, Variant::kPaper, 64);
    const SomeSlices some;
    diagnosis::SegmentationRequest request;
    request.probabilities = true;
    request.threshold = middle(model->forward(networkInput(some.slices[0], {64, 64, 0, 0}, 64), false).at("side1"));
    const auto together = diagnosis::segmentSlices(*model, some.all(), 4, request, nullptr);
    int64_t lesions = 0, total = 0;
    for (size_t i = 0; i < some.slices.size(); ++i) {
      const data::DecodedSlice& slice = some.slices[i];
      const auto outputs = model->forward(networkInput(slice, {64, 64, 0, 0}, 64), false);
      const std::vector<float> expected =
          diagnosis::resizeMap(outputs.at("side1").as<float>(), 64, 64, slice.info.width, slice.info.height);
      const diagnosis::SliceSegmentation& result = together[i];
      CHECK_EQUAL(result.probabilities.size(), expected.size());
      const std::vector<uint8_t> mask = result.mask.bytes();
      CHECK_EQUAL(mask.size(), expected.size());
      int64_t area = 0;
      for (size_t p = 0; p < expected.size(); ++p) {
        CHECK_NEAR(result.probabilities[p], expected[p], 1e-5);
        CHECK_EQUAL(mask[p], static_cast<uint8_t>(result.probabilities[p] > request.threshold));
        area += mask[p];
      }
      CHECK_EQUAL(result.areaPixels, area);
      CHECK_EQUAL(result.areaMm2.has_value(), slice.info.spacing.has_value());
      if (result.areaMm2) CHECK_EQUAL(*result.areaMm2, static_cast<double>(area));  // pixels of 0.5 × 2 mm
      lesions += area;
      total += static_cast<int64_t>(expected.size());
      request.probabilities = false;
      const auto alone = diagnosis::segmentSlices(*model, some.one(i), 4, request, nullptr);
      CHECK(alone[0].mask.bytes() == mask && alone[0].probabilities.empty());
    }
    CHECK(lesions > 0 && lesions < total);  // or the threshold tells nothing
  }
}

namespace {

/// N×height×width×C with its rows or columns the other way round.
std::vector<float> turned(std::span<const float> values, int64_t height, int64_t width, bool leftToRight,
                          bool upsideDown) {
  const auto channels = static_cast<size_t>(std::ssize(values) / (height * width));
  std::vector<float> result;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      const int64_t from = (upsideDown ? height - 1 - y : y) * width + (leftToRight ? width - 1 - x : x);
      const auto pixel = values.subspan(static_cast<size_t>(from) * channels, channels);
      result.insert(result.end(), pixel.begin(), pixel.end());
    }
  return result;
}

Tensor turned(const Tensor& image, bool leftToRight, bool upsideDown) {
  Tensor result(image.type());
  std::ranges::copy(turned(image.as<float>(), image.shape()[1], image.shape()[2], leftToRight, upsideDown),
                    result.as<float>().begin());
  return result;
}

constexpr std::pair<bool, bool> kFlips[] = {{false, false}, {true, false}, {false, true}, {true, true}};

}  // namespace

TEST("inference: test-time augmentation is the mean of what the network gives for flipped and scaled slices") {
  const auto model = smallModel("jcs-segmentation", Variant::kPaper, 64);
  const SomeSlices some;
  diagnosis::SegmentationRequest request;
  request.probabilities = true;
  const auto plain = diagnosis::segmentSlices(*model, some.all(), 4, request, nullptr);
  request.testTime = {.horizontalFlip = true, .verticalFlip = true, .scales = {1, 1.5}};
  const auto results = diagnosis::segmentSlices(*model, some.all(), 4, request, nullptr);
  float change = 0;
  for (size_t i = 0; i < some.slices.size(); ++i) {
    const data::DecodedSlice& slice = some.slices[i];
    std::vector<float> mean(size_t{96} * 96);
    for (const int64_t size : {64, 96})
      for (const auto& [leftToRight, upsideDown] : kFlips) {
        const Tensor input = turned(networkInput(slice, {size, size, 0, 0}, size), leftToRight, upsideDown);
        const auto outputs = model->forward(input, false);
        const auto back = turned(outputs.at("side1").as<float>(), size, size, leftToRight, upsideDown);
        const auto enlarged = diagnosis::resizeMap(back, size, size, 96, 96);
        for (size_t p = 0; p < mean.size(); ++p) mean[p] += enlarged[p] / 8;
      }
    const auto expected = diagnosis::resizeMap(mean, 96, 96, slice.info.width, slice.info.height);
    CHECK_EQUAL(results[i].probabilities.size(), expected.size());
    for (size_t p = 0; p < expected.size(); ++p) {
      CHECK_NEAR(results[i].probabilities[p], expected[p], 1e-5);
      change = std::max(change, std::abs(expected[p] - plain[i].probabilities[p]));
    }
  }
  CHECK(change > 1e-3f);
}

TEST("inference: test-time augmentation of a classifier is the mean of logits and of maps that are turned back") {
  const auto model = smallModel("res2net50-v1b", Variant::kPaper, 96);
  const SomeSlices some;
  const auto results = diagnosis::classifySlices(
      *model, some.all(), 4, {.explain = true, .testTime = {.horizontalFlip = true, .scales = {1, 0.7}}}, nullptr);
  for (size_t i = 0; i < some.slices.size(); ++i) {
    float difference = 0;
    std::vector<float> mean(9);
    for (const int64_t size : {96, 64})
      for (const bool leftToRight : {false, true}) {
        const Tensor input = turned(networkInput(some.slices[i], {size, size, 0, 0}, size), leftToRight, false);
        const auto outputs = model->forward(input, true);
        const auto logits = outputs.at("logits").as<float>();
        difference += (logits[0] - logits[1]) / 4;
        const Tensor& map = outputs.at("activationMap");
        const int64_t extent = map.shape()[1];
        const auto enlarged =
            diagnosis::resizeMap(turned(map.as<float>(), extent, extent, leftToRight, false), extent, extent, 3, 3);
        for (size_t p = 0; p < mean.size(); ++p) mean[p] += enlarged[p] / 4;
      }
    CHECK_NEAR(results[i].probability, 1 / (1 + std::exp(difference)), 1e-5);
    const auto [low, high] = std::ranges::minmax(mean);
    for (float& value : mean) value = (value - low) / (high - low);
    const auto& slice = some.slices[i].info;
    const auto expected = diagnosis::resizeMap(mean, 3, 3, slice.width, slice.height);
    CHECK_EQUAL(results[i].activationMap.size(), expected.size());
    for (size_t p = 0; p < expected.size(); ++p) CHECK_NEAR(results[i].activationMap[p], expected[p], 1e-4);
  }
}

TEST("inference: scales of test-time augmentation that a network does not take are refused") {
  const diagnosis::TestTimeAugmentation testTime{.scales = {1, 0.75, 1.25, 0.3}};
  CHECK(testTime.inputSizes(208) == (std::vector<int64_t>{208, 160, 256, 64}));
  const auto sizesOf = [](std::vector<double> scales, int64_t inputSize) {
    return codeOf([&] { diagnosis::TestTimeAugmentation{.scales = std::move(scales)}.inputSizes(inputSize); });
  };
  const std::string refused = errors::kInvalidArgument;
  CHECK_EQUAL(sizesOf({}, 64), refused);
  CHECK_EQUAL(sizesOf({1, 1, 1, 1, 1, 1}, 64), refused);
  CHECK_EQUAL(sizesOf({0}, 64), refused);
  CHECK_EQUAL(sizesOf({4.5}, 64), refused);
  CHECK_EQUAL(sizesOf({std::nan("")}, 64), refused);
  CHECK_EQUAL(sizesOf({4}, networks::kLargestInput), refused);
}

TEST("inference: a network whose values are not finite is an error, not a mask") {
  for (const std::string network : {"jcs-segmentation", "res2net50-v1b"}) {
    const auto model = smallModel(network, Variant::kPaper, 64);
    for (const model::ParameterInfo& parameter : model->parameters()) {
      Tensor broken(DType::kF32, parameter.shape);
      std::ranges::fill(broken.as<float>(), NAN);
      model->setParameter(parameter.name, broken);
    }
    const SomeSlices some;
    const bool classifier = model->task() == networks::Task::kClassification;
    CHECK_EQUAL(codeOf([&] {
                  if (classifier) {
                    diagnosis::classifySlices(*model, some.all(), 4, {}, nullptr);
                  } else {
                    diagnosis::segmentSlices(*model, some.all(), 4, {}, nullptr);
                  }
                }),
                std::string(errors::kNotFinite));
  }
}

TEST("evaluation: a cancellation is heard while intervals are drawn, when all samples are through") {
  const auto model = smallModel("res2net50-v1b", Variant::kPaper, 64);
  data::SliceStore store;
  for (int patient = 0; patient < 3; ++patient) {
    data::DecodedSlice slice = grayImage(40, 40, [&](int64_t x, int64_t y) { return (x * y + patient * 90) % 256; });
    slice.info.label = patient % 2;
    slice.info.patient = std::to_string(patient);
    store.append(slice);
  }
  std::atomic<bool> cancelled = false;
  const auto evaluated = [&](bool cancels) {
    return diagnosis::evaluateClassifier(
        *model, store, {}, [&](size_t done, size_t total) { cancelled = cancels && done == total; }, &cancelled);
  };
  CHECK(evaluated(false).resamples.contains("accuracy"));
  CHECK_EQUAL(codeOf([&] { evaluated(true); }), std::string(errors::kCancelled));
}
