#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>

#include "data/loader.h"
#include "data/sample_transform.h"
#include "io/safetensors.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/temporary_directory.h"
#include "native/test_files.h"

using namespace jcs;

namespace {

Pixels grayImage(int64_t width, int64_t height, auto&& valueAt) {
  Pixels pixels{{}, PixelFormat::kU8, width, height, 1};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) pixels.data.push_back(static_cast<std::byte>(valueAt(x, y)));
  return pixels;
}

Pixels floatImage(int64_t width, int64_t height, std::vector<float> values) {
  Pixels pixels{{}, PixelFormat::kF32, width, height, 1};
  const auto bytes = std::as_bytes(std::span(values));
  pixels.data.assign(bytes.begin(), bytes.end());
  return pixels;
}

std::vector<float> resized(const Pixels& pixels, int64_t height, int64_t width) {
  std::vector<float> rgb(static_cast<size_t>(height * width * 3));
  resizeToRgb(pixels, height, width, rgb);
  return rgb;
}

/// Gray ramp in x and a mask of its right half.
Sample sampleOf(int seed, int label, bool masked) {
  Sample sample;
  sample.image = grayImage(20, 16, [&](int64_t x, int64_t y) { return (x * 11 + y * 3 + seed * 29) % 256; });
  if (masked) {
    for (int64_t i = 0; i < 20 * 16; ++i) sample.mask.push_back(i % 20 >= 10);
  }
  sample.label = label;
  sample.patient = "p" + std::to_string(seed / 2);
  return sample;
}

std::shared_ptr<const PackedDataset> datasetOf(int count, bool masked = true) {
  auto dataset = std::make_shared<PackedDataset>();
  for (int i = 0; i < count; ++i) dataset->append(sampleOf(i, i % 2, masked && i % 3 != 2));
  return dataset;
}

LoaderOptions classification(int64_t batchSize) {
  LoaderOptions options;
  options.batchSize = batchSize;
  options.height = options.width = 12;
  options.targets = true;
  options.seed = 7;
  return options;
}

bool sameBytes(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() &&
         (a.bytes() == 0 || std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0);
}

bool sameBatch(const Batch& a, const Batch& b) {
  return a.epoch == b.epoch && a.index == b.index && a.samples == b.samples && a.mixing == b.mixing &&
         sameBytes(a.images, b.images) && sameBytes(a.masks, b.masks) && sameBytes(a.targets, b.targets) &&
         sameBytes(a.activationMasks, b.activationMasks) && sameBytes(a.activationWeights, b.activationWeights);
}

}  // namespace

TEST("pixels: antialiased resizing agrees with torch") {
  const Pixels image = grayImage(7, 5, [](int64_t x, int64_t y) { return (y * 7 + x) * (y * 7 + x) * 29 % 251; });
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
  const auto down = resized(image, 3, 4), up = resized(image, 6, 8);
  for (size_t i = 0; i < 12; ++i)
    for (size_t c = 0; c < 3; ++c) CHECK(std::abs(down[3 * i + c] - smaller[i]) < 1e-6f);
  for (size_t i = 0; i < 48; ++i) CHECK(std::abs(up[3 * i] - larger[i]) < 1e-6f);
}

TEST("pixels: antialiased resizing agrees with torch and Pillow on the fixtures") {
  const auto file = SafetensorsFile::open(fixturePath("resizing.safetensors"));
  const Tensor real = file.load("real"), gray = file.load("gray");
  const int64_t height = real.shape()[0], width = real.shape()[1];
  const Pixels floats = floatImage(width, height, {real.as<float>().begin(), real.as<float>().end()});
  const Pixels bytes = grayImage(width, height, [&](int64_t x, int64_t y) {
    return static_cast<int>(gray.as<float>()[static_cast<size_t>(y * width + x)]);
  });
  for (const std::string name : {"down", "up", "mixed"}) {
    const Tensor torch = file.load("antialias_" + name), pillow = file.load("pillow_gray_" + name);
    const auto fromFloats = resized(floats, torch.shape()[0], torch.shape()[1]);
    const auto fromBytes = resized(bytes, torch.shape()[0], torch.shape()[1]);
    for (size_t i = 0; i < static_cast<size_t>(torch.elements()); ++i) {
      CHECK_NEAR(fromFloats[3 * i], torch.as<float>()[i], 2e-6);
      // Pillow rounds to whole bytes, after each of the two axes.
      CHECK_NEAR(255 * fromBytes[3 * i], pillow.as<float>()[i], 1.01);
    }
  }
}

TEST("pixels: the same size is the same image, in every format") {
  const auto u8 = resized(grayImage(3, 2, [](int64_t x, int64_t y) { return 51 * (x + y); }), 2, 3);
  CHECK(u8[0] == 0 && u8[3] == 0.2f && u8[15] == 0.6f);
  const uint16_t words[] = {0, 65535, 13107, 257, 1, 2};
  Pixels u16{{}, PixelFormat::kU16, 1, 2, 3};
  const auto bytes = std::as_bytes(std::span(words));
  u16.data.assign(bytes.begin(), bytes.end());
  const auto color = resized(u16, 2, 1);
  CHECK(color[0] == 0 && color[1] == 1 && color[2] == 0.2f && color[3] == 257 / 65535.0f);
  CHECK(resized(floatImage(2, 1, {0.25f, 0.75f}), 1, 2) ==
        std::vector<float>({0.25f, 0.25f, 0.25f, 0.75f, 0.75f, 0.75f}));
  CHECK(resized(floatImage(1, 1, {0.25f}), 2, 2) == std::vector<float>(12, 0.25f));
}

TEST("pixels: a batch is normalised with ImageNet's statistics") {
  const Pixels a = floatImage(1, 1, {0.5f}), b = floatImage(1, 1, {0});
  const Pixels* images[] = {&a, &b};
  const Tensor batch = toBatch(images, 1, 1, {});
  CHECK(batch.shape() == (Shape{2, 1, 1, 3}));
  const double expected[] = {(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225,
                             -0.485 / 0.229,        -0.456 / 0.224,        -0.406 / 0.225};
  for (size_t i = 0; i < 6; ++i) CHECK(std::abs(static_cast<double>(batch.as<float>()[i]) - expected[i]) < 1e-6);
}

TEST("pixels: bad images are typed errors") {
  const auto codeOfPixels = [](const Pixels& pixels) { return codeOf([&] { validate(pixels); }); };
  const auto sized = [](size_t bytes, int64_t width, int64_t height, int64_t channels) {
    return Pixels{std::vector<std::byte>(bytes), PixelFormat::kU8, width, height, channels};
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
  CHECK(messageOf([] { validate(floatImage(2, 2, {0, 0, NAN, 0})); }).find("column 0, row 1") != std::string::npos);
}

TEST("packed dataset: samples come back as they were") {
  PackedDataset dataset;
  std::vector<Sample> samples{sampleOf(1, 1, true), sampleOf(2, 0, false)};
  samples.push_back({floatImage(3, 1, {0.1f, 0.2f, 0.3f}), {0, 0, 0}, -1, ""});
  for (const Sample& sample : samples) dataset.append(sample);
  CHECK(dataset.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    const Sample read = dataset.read(i);
    CHECK(read.image.data == samples[i].image.data && read.image.format == samples[i].image.format);
    CHECK(read.image.width == samples[i].image.width && read.image.channels == samples[i].image.channels);
    CHECK(read.mask == samples[i].mask && read.label == samples[i].label && read.patient == samples[i].patient);
  }
  CHECK(dataset.info(0).hasMask && !dataset.info(0).maskIsEmpty);
  CHECK(!dataset.info(1).hasMask && dataset.info(1).maskIsEmpty);
  CHECK(dataset.info(2).hasMask && dataset.info(2).maskIsEmpty && dataset.info(2).width == 3);
  CHECK(dataset.bytes() == 320 + 40 + 320 + 12 + 1);
}

TEST("packed dataset: its file has no name") {
  const TemporaryDirectory directory;
  PackedDataset dataset(directory.path());
  dataset.append(sampleOf(1, 1, true));
  CHECK(directory.files() == 0);
  CHECK(codeOf([&] { PackedDataset(directory / "absent"); }) == errors::kFileUnwritable);
}

TEST("packed dataset: a bad sample is a typed error and changes nothing") {
  PackedDataset dataset;
  Sample sample = sampleOf(1, 1, true);
  sample.mask.pop_back();
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kShapeMismatch);
  sample.mask.push_back(255);
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kInvalidArgument);
  sample.mask.back() = 1;
  sample.label = 2;
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kInvalidArgument);
  sample.label = 1;
  sample.image.width = 21;
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kInvalidArgument);
  CHECK(dataset.size() == 0 && dataset.bytes() == 0);
}

TEST("packed dataset: a full disk is DISK_FULL, and what was stored stays readable") {
  const TemporaryDirectory directory;
  PackedDataset dataset(directory.path());
  dataset.append(sampleOf(1, 1, true));
  // A file-size limit below the next preallocation stands in for the end of the disk.
  rlimit old;
  ::getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 80 << 20;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  Sample large;
  large.image = {std::vector<std::byte>(size_t{90} << 20), PixelFormat::kU8, 90 << 10, 1 << 10, 1};
  const std::string code = codeOf([&] { dataset.append(large); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(code == errors::kDiskFull);
  CHECK(dataset.size() == 1 && dataset.read(0).image.data == sampleOf(1, 1, true).image.data);
  dataset.append(large);
  CHECK(dataset.size() == 2 && dataset.read(1).image.data.size() == size_t{90} << 20);
}

TEST("augmentation: nothing asked, nothing done") {
  Philox random(1, 2, 3, RandomPurpose::kAugment);
  std::vector<float> rgb = resized(sampleOf(1, 0, false).image, 16, 20), mask(320, 1.0f);
  const std::vector<float> before = rgb;
  augment(AugmentationOptions::none(), random, 16, 20, rgb, mask);
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
    AugmentationOptions horizontal, vertical;
    horizontal.horizontalFlip = vertical.verticalFlip = 1;
    for (const bool across : {true, false}) {
      std::vector<float> flipped = rgb, flippedMask = mask;
      Philox random(1, 0, 0, RandomPurpose::kAugment);
      augment(across ? horizontal : vertical, random, height, width, flipped, flippedMask);
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
  AugmentationOptions options;
  options.symmetricCrop = 7.0f / 224;
  std::set<int> margins;
  int untouched = 0;
  for (uint32_t sample = 0; sample < 60; ++sample) {
    std::vector<float> rgb(static_cast<size_t>(side * side * 3)), mask;
    for (int64_t i = 0; i < side * side; ++i)
      for (size_t c = 0; c < 3; ++c) rgb[static_cast<size_t>(3 * i) + c] = static_cast<float>(i % side);
    const std::vector<float> before = rgb;
    Philox random(5, 0, sample, RandomPurpose::kAugment);
    augment(options, random, side, side, rgb, mask);
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
  AugmentationOptions options;
  options.cropMargin = 0.25f;
  double smallestSlope = 1;
  for (uint32_t sample = 0; sample < 50; ++sample) {
    std::vector<float> rgb(static_cast<size_t>(side * side * 3), 1.0f), mask(static_cast<size_t>(side * side));
    for (size_t i = 0; i < mask.size(); ++i) rgb[3 * i] = static_cast<float>(i % static_cast<size_t>(side));
    Philox random(5, 0, sample, RandomPurpose::kAugment);
    augment(options, random, side, side, rgb, mask);
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
  AugmentationOptions options;
  options.rotationDegrees = 180;
  bool left = false, right = false, below = false;
  for (uint32_t sample = 0; sample < 300; ++sample) {
    std::vector<float> image = rgb, turned = mask;
    Philox random(1, 0, sample, RandomPurpose::kAugment);
    augment(options, random, side, side, image, turned);
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

TEST("augmentation: intensities stay in [0, 1], gray stays gray, noise has the spread asked for") {
  AugmentationOptions options;
  options.gain = 0.5f;
  options.offset = 0.4f;
  options.gamma = 0.5f;
  options.noise = 0.3f;
  for (uint32_t sample = 0; sample < 20; ++sample) {
    std::vector<float> rgb(64 * 64 * 3), mask;
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<float>(i / 3 % 64) / 63;
    Philox random(3, 0, sample, RandomPurpose::kAugment);
    augment(options, random, 64, 64, rgb, mask);
    for (size_t i = 0; i < rgb.size(); i += 3) {
      CHECK(rgb[i] >= 0 && rgb[i] <= 1);
      CHECK(rgb[i] == rgb[i + 1] && rgb[i] == rgb[i + 2]);
    }
  }
  AugmentationOptions noise;
  noise.noise = 0.1f;
  double sum = 0, squares = 0;
  const int images = 40, pixels = 32 * 32;
  for (uint32_t sample = 0; sample < images; ++sample) {
    std::vector<float> rgb(pixels * 3, 0.5f), mask;
    Philox random(9, 0, sample, RandomPurpose::kAugment);
    augment(noise, random, 32, 32, rgb, mask);
    for (size_t i = 0; i < rgb.size(); i += 3) {
      sum += static_cast<double>(rgb[i]) - 0.5;
      squares += std::pow(static_cast<double>(rgb[i]) - 0.5, 2);
    }
  }
  // A deviation drawn from U(0, 0.1) has a mean square of 0.01/3.
  CHECK(std::abs(sum / (images * pixels)) < 2e-3);
  CHECK(std::abs(squares / (images * pixels) - 0.01 / 3) < 1.2e-3);
}

TEST("averageCells: fractions of pixels count by their area") {
  const std::vector<float> mask{1, 0, 0, 1, 1, 0};  // 2 × 3
  std::vector<float> cells(2);
  averageCells(mask, 2, 3, 1, 2, cells);
  CHECK(std::abs(cells[0] - 2.5f / 3) < 1e-6f && std::abs(cells[1] - 0.5f / 3) < 1e-6f);
  std::vector<float> same(6);
  averageCells(mask, 2, 3, 2, 3, same);
  CHECK(same == mask);
  std::vector<float> all(1);
  averageCells(mask, 2, 3, 1, 1, all);
  CHECK(all[0] == 0.5f);
}

TEST("averageCells: agrees with numpy's area average on the fixture") {
  const auto file = SafetensorsFile::open(fixturePath("resizing.safetensors"));
  const Tensor real = file.load("real"), expected = file.load("area_average");
  std::vector<float> cells(static_cast<size_t>(expected.elements()));
  averageCells(real.as<float>(), real.shape()[0], real.shape()[1], expected.shape()[0], expected.shape()[1], cells);
  for (size_t i = 0; i < cells.size(); ++i) CHECK_NEAR(cells[i], expected.as<float>()[i], 1e-6);
}

TEST("transform: the mask follows its image to another size") {
  Philox random(1, 0, 0, RandomPurpose::kAugment);
  const TransformedSample result = transform(sampleOf(0, 1, true), 8, 10, {}, random, {});
  CHECK(result.rgb.size() == 240 && result.mask.size() == 80);
  for (size_t i = 0; i < 80; ++i) CHECK(result.mask[i] == static_cast<float>(i % 10 >= 5));
}

TEST("loader: an epoch shows every sample once, each epoch in another order") {
  Loader loader(datasetOf(10), classification(3));
  CHECK(loader.batchesPerEpoch() == 3);
  std::vector<std::vector<size_t>> orders;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<size_t>& order = orders.emplace_back();
    for (int64_t index = 0; index < 3; ++index) {
      const Batch batch = loader.next();
      CHECK(batch.epoch == epoch && batch.index == index && batch.samples.size() == 3);
      CHECK(batch.images.shape() == (Shape{3, 12, 12, 3}) && batch.mixing == 1);
      for (size_t i = 0; i < 3; ++i) {
        order.push_back(batch.samples[i]);
        CHECK(batch.targets.as<float>()[2 * i + 1] == static_cast<float>(batch.samples[i] % 2));
        CHECK(batch.targets.as<float>()[2 * i] == static_cast<float>(1 - batch.samples[i] % 2));
      }
    }
    CHECK(std::set(order.begin(), order.end()).size() == 9);
  }
  CHECK(orders[0] != orders[1]);
}

TEST("loader: partial batches are dropped or kept as asked") {
  LoaderOptions options = classification(4);
  options.dropLast = false;
  options.shuffle = false;
  Loader all(datasetOf(10), options);
  CHECK(all.batchesPerEpoch() == 3);
  CHECK(all.next().samples == std::vector<size_t>({0, 1, 2, 3}));
  CHECK(all.next().samples == std::vector<size_t>({4, 5, 6, 7}));
  CHECK(all.next().samples == std::vector<size_t>({8, 9}));
  CHECK(all.next().epoch == 1);
  Loader only(datasetOf(3), classification(4));
  CHECK(only.batchesPerEpoch() == 1 && only.next().samples.size() == 3);
}

TEST("loader: the sequence does not depend on threads, prefetching or where it starts") {
  const auto dataset = datasetOf(11);
  LoaderOptions options = classification(4);
  options.augmentation = AugmentationOptions::scratch();
  options.mixupAlpha = 0.5;
  options.featureHeight = options.featureWidth = 3;
  options.masks = false;
  options.threads = 1;
  options.prefetch = 1;
  std::vector<Batch> expected;
  Loader single(dataset, options);
  for (int i = 0; i < 8; ++i) expected.push_back(single.next());
  for (const auto& [threads, prefetch] : {std::pair(4, 3), std::pair(3, 1), std::pair(2, 7)}) {
    options.threads = threads;
    options.prefetch = prefetch;
    Loader loader(dataset, options);
    for (const Batch& batch : expected) CHECK(sameBatch(loader.next(), batch));
    loader.seek(1, 1);
    CHECK(sameBatch(loader.next(), expected[3]));
    CHECK(sameBatch(loader.next(), expected[4]));
    Loader resumed(dataset, options);
    resumed.seek(2, 1);
    CHECK(sameBatch(resumed.next(), expected[5]));
  }
  options.seed = 8;
  Loader other(dataset, options);
  CHECK(!sameBatch(other.next(), expected[0]));
  CHECK(!sameBytes(expected[0].images, expected[2].images));
}

TEST("loader: mixing is that of equation 3 with partners that differ") {
  LoaderOptions options = classification(5);
  Loader plain(datasetOf(10), options);
  options.mixupAlpha = 0.5;
  Loader mixing(datasetOf(10), options);
  double lambdas = 0;
  const int batches = 40;
  for (int b = 0; b < batches; ++b) {
    const Batch a = plain.next(), m = mixing.next();
    CHECK(a.samples == m.samples && m.mixing >= 0 && m.mixing <= 1);
    lambdas += m.mixing;
    const auto lambda = static_cast<float>(m.mixing);
    std::set<size_t> partners;
    const size_t pixels = 12 * 12 * 3;
    for (size_t i = 0; i < 5; ++i) {
      std::vector<size_t> found;
      for (size_t j = 0; j < 5; ++j) {
        bool equal = true;
        for (size_t k = 0; k < pixels && equal; ++k)
          equal = std::abs(m.images.as<float>()[i * pixels + k] - lambda * a.images.as<float>()[i * pixels + k] -
                           (1 - lambda) * a.images.as<float>()[j * pixels + k]) < 1e-5f;
        if (equal) found.push_back(j);
      }
      if (lambda > 0.999f) continue;  // the partner hardly shows
      CHECK(found.size() == 1 && found[0] != i);
      if (found.empty()) continue;
      partners.insert(found[0]);
      const float y =
          lambda * a.targets.as<float>()[2 * i + 1] + (1 - lambda) * a.targets.as<float>()[2 * found[0] + 1];
      CHECK(std::abs(m.targets.as<float>()[2 * i + 1] - y) < 1e-6f);
      CHECK(std::abs(m.targets.as<float>()[2 * i] + m.targets.as<float>()[2 * i + 1] - 1) < 1e-6f);
    }
    if (lambda <= 0.999f) CHECK(partners.size() == 5);
  }
  CHECK(std::abs(lambdas / batches - 0.5) < 0.2);
}

TEST("loader: activation weights are one over the number of unmixed samples with a lesion") {
  LoaderOptions options = classification(6);
  options.featureHeight = 2;
  options.featureWidth = 4;
  options.mixupAlpha = 0.5;
  Loader loader(datasetOf(12), options);
  int mixedBatches = 0;
  for (int b = 0; b < 30; ++b) {
    const Batch batch = loader.next();
    CHECK(batch.activationMasks.shape() == (Shape{6, 2, 4, 1}) && batch.activationWeights.shape() == Shape{6});
    mixedBatches += batch.mixing != 1;
    const auto annotated = std::ranges::count_if(batch.samples, [](size_t sample) { return sample % 3 != 2; });
    for (size_t i = 0; i < 6; ++i) {
      const bool masked = batch.samples[i] % 3 != 2;
      const float expected = masked && batch.mixing == 1 ? 1.0f / static_cast<float>(annotated) : 0.0f;
      CHECK(batch.activationWeights.as<float>()[i] == expected);
      for (size_t k = 0; k < 8; ++k)  // the mask is the image's right half
        CHECK(std::abs(batch.activationMasks.as<float>()[i * 8 + k] - (masked && k % 4 >= 2 ? 1.0f : 0.0f)) < 1e-6f);
    }
  }
  CHECK(mixedBatches > 5 && mixedBatches < 25);
}

TEST("loader: segmentation batches carry masks") {
  auto dataset = std::make_shared<PackedDataset>();
  for (int i = 0; i < 4; ++i) dataset->append(sampleOf(i, -1, true));
  LoaderOptions options;
  options.batchSize = 2;
  options.height = 16;
  options.width = 20;
  options.masks = true;
  Loader loader(dataset, options);
  const Batch batch = loader.next();
  CHECK(batch.masks.shape() == (Shape{2, 16, 20, 1}) && batch.targets.bytes() == 0);
  for (size_t i = 0; i < 640; ++i) CHECK(batch.masks.as<float>()[i] == static_cast<float>(i % 20 >= 10));
}

TEST("loader: what cannot work is said at once") {
  LoaderOptions segmentation = classification(2);
  segmentation.masks = true;
  CHECK(codeOf([&] { Loader(datasetOf(4), segmentation); }) == "BAD_SAMPLE");
  CHECK(codeOf([&] { Loader(std::make_shared<PackedDataset>(), classification(2)); }) == errors::kEmptyDataset);
  CHECK(codeOf([&] { Loader(datasetOf(4), classification(0)); }) == errors::kInvalidArgument);
  auto unlabelled = std::make_shared<PackedDataset>();
  unlabelled->append(sampleOf(0, -1, false));
  CHECK(codeOf([&] { Loader(unlabelled, classification(1)); }) == "BAD_SAMPLE");
  Loader loader(datasetOf(4), classification(2));
  CHECK(codeOf([&] { loader.seek(0, 2); }) == errors::kInvalidArgument);
  CHECK(codeOf([&] { loader.seek(-1, 0); }) == errors::kInvalidArgument);
}

TEST("loader: cancelling ends the wait, and a loader may be dropped while it works") {
  const std::atomic<bool> cancelled{true};
  auto dataset = std::make_shared<PackedDataset>();
  for (int i = 0; i < 4; ++i) {
    Sample sample;
    sample.image = grayImage(1500, 1500, [](int64_t x, int64_t y) { return (x ^ y) & 255; });
    sample.label = 0;
    dataset->append(sample);
  }
  LoaderOptions options = classification(4);
  options.height = options.width = 700;
  Loader loader(dataset, options);
  CHECK(codeOf([&] { loader.next(&cancelled); }) == errors::kCancelled);
  CHECK(loader.next().index == 0);  // cancelling lost nothing
}

TEST("loader: an error in a thread surfaces at its batch") {
  LoaderOptions options = classification(2);
  options.height = int64_t{1} << 31;
  options.width = int64_t{1} << 31;
  Loader loader(datasetOf(4), options);
  const std::string code = codeOf([&] { loader.next(); });
  CHECK(code == errors::kOutOfMemory || code == errors::kInputTooLarge);
}
