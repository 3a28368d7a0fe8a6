#include "metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/philox.h"
#include "io/safetensors.h"
#include "metrics/bootstrap.h"
#include "metrics/calibration.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/test_files.h"

using namespace jcs;

namespace {

using Map = std::vector<float>;
using Truth = std::vector<uint8_t>;

std::vector<float> floats(const io::SafetensorsFile& file, const std::string& name) {
  const Tensor tensor = file.load(name);
  const std::span<const float> values = tensor.as<float>();
  return {values.begin(), values.end()};
}

Truth bytes(std::span<const float> values) { return {values.begin(), values.end()}; }

/// The maps and truths of the fixture, image by image.
struct FixtureImages {
  std::vector<Map> maps;
  std::vector<Truth> truths;
};

FixtureImages imagesOf(const io::SafetensorsFile& file) {
  const auto count = static_cast<size_t>(file.load("maps").shape()[0]);
  const auto maps = floats(file, "maps");
  const auto truths = floats(file, "truths");
  const size_t pixels = maps.size() / count;
  FixtureImages images;
  for (size_t i = 0; i < count; ++i) {
    images.maps.emplace_back(maps.data() + i * pixels, maps.data() + (i + 1) * pixels);
    images.truths.push_back(bytes(std::span(truths).subspan(i * pixels, pixels)));
  }
  return images;
}

double meanOver(std::span<const float> values, std::initializer_list<size_t> skipped) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::find(skipped.begin(), skipped.end(), i) != skipped.end()) continue;
    sum += values[i];
    ++count;
  }
  return sum / count;
}

}  // namespace

TEST("metrics: each variant of each map as numpy computes it") {
  const auto file = io::SafetensorsFile::open(fixturePath("metrics.safetensors"));
  const FixtureImages images = imagesOf(file);
  CHECK_EQUAL(images.maps.size(), 8u);
  const std::pair<const char*, const char*> names[] = {{"dice", "dice"},
                                                       {"iou", "iou"},
                                                       {"iouAdaptive", "adaptive_iou"},
                                                       {"eMeasure", "adaptive_e"},
                                                       {"eMeasureMax", "max_e"},
                                                       {"eMeasureMean", "mean_e"},
                                                       {"mae", "mae"}};
  for (const auto& [ours, theirs] : names) {
    const auto expected = floats(file, std::string("segmentation/") + theirs);
    for (size_t i = 0; i < images.maps.size(); ++i)
      CHECK_NEAR(metrics::segmentationMetrics(images.maps[i], images.truths[i]).at(ours), expected[i], 1e-6);
  }
}

TEST("metrics: surface distances as SciPy computes them, in pixels and in mm") {
  const auto file = io::SafetensorsFile::open(fixturePath("metrics.safetensors"));
  const FixtureImages images = imagesOf(file);
  const Tensor maps = file.load("maps");
  metrics::PixelGrid grid{maps.shape()[1], maps.shape()[2]};
  for (const bool inMm : {false, true}) {
    const std::string unit = inMm ? "mm" : "pixels";
    const auto hd95 = floats(file, "surface/hd95_" + unit), nsd = floats(file, "surface/nsd_" + unit);
    if (inMm) grid.rowSpacing = 0.7, grid.columnSpacing = 1.9, grid.inMm = true;
    metrics::SegmentationScores scores;
    double sum = 0, nsdSum = 0, count = 0;
    for (size_t i = 0; i < images.maps.size(); ++i) {
      const metrics::Metrics found = metrics::segmentationMetrics(images.maps[i], images.truths[i], grid);
      scores.add(images.maps[i], images.truths[i], grid);
      CHECK_NEAR(found.at("nsd"), nsd[i], 1e-6);
      if (i != 3) nsdSum += nsd[i];  // nothing in the truth
      const double distance = found.at(inMm ? "hd95Mm" : "hd95Pixels");
      CHECK(std::isnan(distance) == (hd95[i] < 0));
      CHECK(!found.contains(inMm ? "hd95Pixels" : "hd95Mm"));
      if (std::isnan(distance)) continue;
      CHECK_NEAR(distance, hd95[i], 1e-5);
      sum += distance;
      ++count;
    }
    CHECK(count >= 4);
    CHECK_NEAR(scores.result().at(inMm ? "hd95Mm" : "hd95Pixels"), sum / count, 1e-9);
    CHECK_NEAR(scores.result().at("nsd"), nsdSum / 7, 1e-6);
  }
  CHECK(!metrics::segmentationMetrics(images.maps[0], images.truths[0]).contains("nsd"));
}

TEST("metrics: surface distances of squares by hand") {
  // A pixel each, 3 rows and 4 columns apart.
  Truth a(48, 0), b(48, 0);
  a[0] = 1;
  b[3 * 8 + 4] = 1;
  const auto apart = metrics::surfaceDistance(a, b, {6, 8}, 4.9);
  CHECK_EQUAL(apart.hd95, 5.0);
  CHECK_EQUAL(apart.nsd, 0.0);
  CHECK_EQUAL(metrics::surfaceDistance(a, b, {6, 8}, 5).nsd, 1.0);
  const auto scaled = metrics::surfaceDistance(a, b, {6, 8, 2, 2, true}, 5);
  CHECK_EQUAL(scaled.hd95, 10.0);
  CHECK_EQUAL(metrics::surfaceDistance(a, a, {6, 8}, 0).nsd, 1.0);
  CHECK_EQUAL(metrics::surfaceDistance(a, a, {6, 8}, 0).hd95, 0.0);
  // Of a square of 3×3 the middle is no outline: eight pixels, of which the ring around b is one.
  Truth square(49, 0), middle(49, 0);
  for (size_t y = 2; y < 5; ++y)
    for (size_t x = 2; x < 5; ++x) square[y * 7 + x] = 1;
  middle[3 * 7 + 3] = 1;
  CHECK_NEAR(metrics::surfaceDistance(square, middle, {7, 7}, 1.2).nsd, 5.0 / 9, 1e-12);
}

TEST("metrics: a set's means skip the image without a lesion where the score is undefined there") {
  const auto file = io::SafetensorsFile::open(fixturePath("metrics.safetensors"));
  const FixtureImages images = imagesOf(file);
  metrics::SegmentationScores scores;
  for (size_t i = 0; i < images.maps.size(); ++i) scores.add(images.maps[i], images.truths[i]);
  const metrics::Metrics result = scores.result();
  const size_t withoutLesion = 3;
  CHECK_NEAR(result.at("dice"), meanOver(floats(file, "segmentation/dice"), {withoutLesion}), 1e-6);
  CHECK_NEAR(result.at("diceEmptyAsOne"), meanOver(floats(file, "segmentation/dice"), {}), 1e-6);
  CHECK_NEAR(result.at("iou"), meanOver(floats(file, "segmentation/iou"), {withoutLesion}), 1e-6);
  CHECK_NEAR(result.at("iouAdaptive"), meanOver(floats(file, "segmentation/adaptive_iou"), {withoutLesion}), 1e-6);
  CHECK_NEAR(result.at("eMeasure"), meanOver(floats(file, "segmentation/adaptive_e"), {}), 1e-6);
  CHECK_NEAR(result.at("eMeasureMean"), meanOver(floats(file, "segmentation/mean_e"), {}), 1e-6);
  CHECK_NEAR(result.at("mae"), meanOver(floats(file, "segmentation/mae"), {}), 1e-6);
  CHECK_EQUAL(result.at("images"), 8);
  CHECK_EQUAL(result.at("emptyTruth"), 1);
}

TEST("metrics: classification with ties as numpy computes it") {
  const auto file = io::SafetensorsFile::open(fixturePath("metrics.safetensors"));
  const metrics::Metrics result = metrics::classificationMetrics(floats(file, "scores"), bytes(floats(file, "labels")));
  for (const char* name : {"accuracy", "sensitivity", "specificity", "auc", "ece"})
    CHECK_NEAR(result.at(name), floats(file, std::string("classification/") + name)[0], 1e-6);
}

TEST("metrics: reliability by hand, its bins open below") {
  const Map probabilities{0, 0.125f, 0.25f, 0.26f, 0.9f, 1};
  const auto bins = metrics::reliabilityDiagram(probabilities, Truth{0, 1, 0, 1, 1, 1}, 4);
  CHECK_EQUAL(bins.size(), size_t{4});
  CHECK_EQUAL(bins[0].samples, int64_t{3});  // 0 and 0.25 too
  CHECK_NEAR(bins[0].meanProbability, 0.125, 1e-7);
  CHECK_NEAR(bins[0].positives, 1.0 / 3, 1e-12);
  CHECK_EQUAL(bins[1].samples, int64_t{1});
  CHECK_EQUAL(bins[2].samples, int64_t{0});
  CHECK(std::isnan(bins[2].meanProbability) && std::isnan(bins[2].positives));
  CHECK_EQUAL(bins[3].samples, int64_t{2});
  CHECK_NEAR(bins[3].low, 0.75, 1e-12);
  CHECK_NEAR(metrics::expectedCalibrationError(bins), (3 * (1.0 / 3 - 0.125) + 0.74 + 2 * 0.05) / 6, 1e-7);
  CHECK_EQUAL(codeOf([&] {
                metrics::reliabilityDiagram(probabilities, Truth{0, 1, 0, 1, 1, 1}, 0);
              }),
              std::string(errors::kInvalidArgument));
  CHECK_EQUAL(codeOf([&] { metrics::reliabilityDiagram(probabilities, Truth(6, 2)); }),
              std::string(errors::kInvalidArgument));
}

TEST("metrics: bootstrap intervals of two groups by hand") {
  // The mean of two draws of a group of zeros and one of ones is 0, 1/2, 1 in 1/4, 1/2, 1/4 of the cases.
  const std::vector<double> values{0, 1, 0};
  const std::vector<size_t> groups{0, 1, 0};
  const auto share = [&](std::span<const size_t> drawn) {
    double sum = 0;
    for (const size_t i : drawn) sum += values[i] / static_cast<double>(groups[i] == 0 ? 4 : 2);
    return metrics::Metrics{{"share", sum}, {"undefined", std::nan("")}};
  };
  const auto resamples = metrics::bootstrap(groups, {.resamples = 4000}, share);
  const auto wide = metrics::intervalsOf(resamples);
  CHECK_EQUAL(wide.size(), size_t{1});
  CHECK_EQUAL(wide.at("share").low, 0.0);
  CHECK_EQUAL(wide.at("share").high, 1.0);
  const auto narrow = metrics::intervalsOf(resamples, 0.4);
  CHECK_EQUAL(narrow.at("share").low, 0.5);
  CHECK_EQUAL(narrow.at("share").high, 0.5);
  const auto quarter = metrics::intervalsOf(resamples, 0.56);
  CHECK_EQUAL(quarter.at("share").low, 0.0);  // below 22 %
  CHECK_EQUAL(quarter.at("share").high, 1.0);
  CHECK(metrics::bootstrap(groups, {.resamples = 0}, share).empty());
  CHECK(metrics::bootstrap(std::vector<size_t>{0, 0, 0}, {}, share).empty());
  CHECK(metrics::bootstrap({}, {}, share).empty());
}

TEST("metrics: bootstrap intervals of a mean are those of the normal distribution") {
  std::vector<double> values;
  std::vector<size_t> groups;
  double mean = 0, variance = 0;
  Philox random(5, 0, 0, RandomPurpose::kNoise);
  for (size_t i = 0; i < 400; ++i) {
    values.push_back(random.normal());
    groups.push_back(i);
    mean += values.back() / 400;
  }
  for (const double value : values) variance += (value - mean) * (value - mean) / 400;
  const auto meanOf = [&](std::span<const size_t> drawn) {
    double sum = 0;
    for (const size_t i : drawn) sum += values[i] / 400;
    return metrics::Metrics{{"mean", sum}};
  };
  const auto interval =
      metrics::intervalsOf(metrics::bootstrap(groups, {.resamples = 10000, .seed = 3}, meanOf)).at("mean");
  const double half = 1.96 * std::sqrt(variance / 400);  // 0.096; the error of a percentile of so many draws is 0.002
  CHECK_NEAR(interval.low, mean - half, 0.006);
  CHECK_NEAR(interval.high, mean + half, 0.006);
}

TEST("metrics: parts of a population get what is drawn of them, in the same draws") {
  const std::vector<double> values{1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  const auto sumFrom = [&](size_t first) {
    return [&values, first](std::span<const size_t> drawn) {
      double sum = 0;
      for (const size_t i : drawn) sum += values[first + i];
      return metrics::Metrics{{"sum", sum}};
    };
  };
  const auto groups = [](size_t count) {
    std::vector<size_t> all(count);
    for (size_t i = 0; i < count; ++i) all[i] = i;
    return all;
  };
  const auto whole = metrics::bootstrap(groups(10), {.resamples = 200, .seed = 7}, sumFrom(0)).at("sum");
  std::vector<double> sums(200, 0);
  int undefined = 0;
  for (const auto& [first, count] : {std::pair<size_t, size_t>{0, 1}, {1, 3}, {4, 6}}) {
    const auto part = metrics::bootstrap(groups(count), {.resamples = 200, .seed = 7, .first = first, .population = 10},
                                         sumFrom(first))
                          .at("sum");
    CHECK_EQUAL(part.size(), size_t{200});
    for (size_t r = 0; r < 200; ++r) {
      undefined += std::isnan(part[r]);
      if (!std::isnan(part[r])) sums[r] += part[r];
    }
  }
  CHECK(sums == whole);
  CHECK(undefined > 40);  // of one in ten, nothing is drawn in 35 of 100 resamples
}

TEST("metrics: scores of drawn images count each as often as it was drawn") {
  metrics::SegmentationScores all, twice;
  const Map maps[] = {{0.9f, 0.8f, 0.1f, 0.5f}, {0.2f, 0.7f, 0.6f, 0.1f}, {0.1f, 0.2f, 0.1f, 0.3f}};
  const Truth truths[] = {{1, 0, 1, 0}, {0, 1, 0, 0}, {0, 0, 0, 0}};
  for (size_t i = 0; i < 3; ++i) all.add(maps[i], truths[i]);
  for (const size_t i : {size_t{1}, size_t{1}, size_t{2}}) twice.add(maps[i], truths[i]);
  CHECK(all.result(std::vector<size_t>{1, 1, 2}) == twice.result());
  CHECK(all.result(std::vector<size_t>{}).empty());
}

TEST("metrics: counts by hand") {
  // Predicted at > 0.5: 1 1 0 0; TP 1, FP 1, FN 1, TN 1.
  const metrics::Metrics m = metrics::segmentationMetrics(Map{0.9f, 0.8f, 0.1f, 0.5f}, Truth{1, 0, 255, 0});
  CHECK_NEAR(m.at("dice"), 0.5, 1e-12);
  CHECK_NEAR(m.at("iou"), 1.0 / 3, 1e-12);
  CHECK_NEAR(m.at("sensitivity"), 0.5, 1e-12);
  CHECK_NEAR(m.at("specificity"), 0.5, 1e-12);
  CHECK_NEAR(m.at("mae"), (0.1 + 0.8 + 0.9 + 0.5) / 4, 1e-7);
}

TEST("metrics: E of a perfect map exceeds 1 by the published denominator, of an inverted one is 0") {
  const metrics::Metrics perfect = metrics::segmentationMetrics(Map{1, 1, 0, 0}, Truth{1, 1, 0, 0});
  CHECK_NEAR(perfect.at("eMeasure"), 4.0 / 3, 1e-12);
  const metrics::Metrics inverted = metrics::segmentationMetrics(Map{0, 0, 1, 1}, Truth{1, 1, 0, 0});
  CHECK_NEAR(inverted.at("eMeasure"), 0, 1e-12);
}

TEST("metrics: a constant map over a mixed truth is unaligned everywhere") {
  // 2·0.7 is capped at 1, so nothing is predicted: xi = 0, E = N/4 / (N − 1).
  CHECK_NEAR(metrics::segmentationMetrics(Map(4, 0.7f), Truth{1, 0, 0, 0}).at("eMeasure"), 1.0 / 3, 1e-12);
}

TEST("metrics: an image without a lesion scores 1 when nothing is predicted and 0 otherwise") {
  CHECK_EQUAL(metrics::segmentationMetrics(Map(4, 0), Truth(4, 0)).at("dice"), 1);
  CHECK_EQUAL(metrics::segmentationMetrics(Map{1, 0, 0, 0}, Truth(4, 0)).at("dice"), 0);
  CHECK(std::isnan(metrics::segmentationMetrics(Map(4, 0), Truth(4, 0)).at("sensitivity")));
  CHECK(std::isnan(metrics::segmentationMetrics(Map(4, 1), Truth(4, 1)).at("specificity")));

  metrics::SegmentationScores scores;
  scores.add(Map(4, 0), Truth(4, 0));
  CHECK(std::isnan(scores.result().at("dice")));
  CHECK_EQUAL(scores.result().at("diceEmptyAsOne"), 1);
}

TEST("metrics: mIoU pools the pixels of all images, dice averages over them") {
  metrics::SegmentationScores scores;
  scores.add(Map{1, 1, 1, 1}, Truth{1, 1, 1, 0});  // TP 3, FP 1
  scores.add(Map{0, 0, 0, 0}, Truth{1, 0, 0, 0});  // FN 1, TN 3
  const metrics::Metrics m = scores.result();
  CHECK_NEAR(m.at("mIoU"), (3.0 / 5 + 3.0 / 5) / 2, 1e-8);
  CHECK_NEAR(m.at("dicePooled"), 2 * 3.0 / (2 * 3 + 2), 1e-12);
  CHECK_NEAR(m.at("dice"), 6.0 / 7 / 2, 1e-12);
}

TEST("metrics: eMeasureMax of a set is one threshold's, not each image's best") {
  metrics::SegmentationScores scores;
  scores.add(Map{1, 0.2f, 0, 0}, Truth{1, 0, 0, 0});
  scores.add(Map{1, 0.2f, 0, 0}, Truth{1, 1, 0, 0});  // perfect only at t <= 51, where the other is not
  const double each = metrics::segmentationMetrics(Map{1, 0.2f, 0, 0}, Truth{1, 0, 0, 0}).at("eMeasureMax");
  CHECK_NEAR(each, 4.0 / 3, 1e-12);
  CHECK_NEAR(metrics::segmentationMetrics(Map{1, 0.2f, 0, 0}, Truth{1, 1, 0, 0}).at("eMeasureMax"), 4.0 / 3, 1e-12);
  CHECK(scores.result().at("eMeasureMax") < 4.0 / 3 - 0.05);
}

TEST("metrics: nothing added, nothing scored") { CHECK(metrics::SegmentationScores().result().empty()); }

TEST("metrics: the area under the curve counts a tie one half and needs both classes") {
  CHECK_EQUAL(metrics::classificationMetrics(Map{0.1f, 0.9f}, Truth{0, 1}).at("auc"), 1);
  CHECK_EQUAL(metrics::classificationMetrics(Map{0.5f, 0.5f, 0.5f}, Truth{0, 1, 1}).at("auc"), 0.5);
  CHECK_EQUAL(metrics::classificationMetrics(Map{0.2f, 0.4f, 0.4f, 0.8f}, Truth{0, 1, 0, 1}).at("auc"), 3.5 / 4);
  const metrics::Metrics positivesOnly = metrics::classificationMetrics(Map{0.2f, 0.9f}, Truth{1, 1});
  CHECK(std::isnan(positivesOnly.at("auc")) && std::isnan(positivesOnly.at("specificity")));
  CHECK_EQUAL(positivesOnly.at("sensitivity"), 0.5);
  CHECK_NEAR(positivesOnly.at("f1"), 2.0 / 3, 1e-12);
}

TEST("metrics: the threshold decides strictly") {
  CHECK_EQUAL(metrics::classificationMetrics(Map{0.25f, 0.75f}, Truth{0, 1}, 0.75).at("sensitivity"), 0);
  CHECK_EQUAL(metrics::classificationMetrics(Map{0.25f, 0.75f}, Truth{0, 1}, 0.2).at("specificity"), 0);
}

TEST("metrics: what cannot be scored is refused") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_ERROR([] { metrics::segmentationMetrics(Map(3, 0), Truth(4, 0)); }, errors::kInvalidArgument, "3", "4");
  CHECK_ERROR([] { metrics::segmentationMetrics({}, {}); }, errors::kInvalidArgument, "no pixels");
  CHECK_ERROR([&] { metrics::segmentationMetrics(Map{0, nan}, Truth(2, 0)); }, errors::kNotFinite, "probability 1");
  CHECK_ERROR(
      [] {
        metrics::segmentationMetrics(Map{0, 3.5f}, Truth(2, 0));
      },
      errors::kInvalidArgument, "3.5", "logits");
  CHECK_ERROR([] { metrics::classificationMetrics(Map{0, 1}, Truth{0, 2}); }, errors::kInvalidArgument, "label 1 is 2");
  CHECK_ERROR([&] { metrics::classificationMetrics(Map{0}, Truth{0}, nan); }, errors::kInvalidArgument, "threshold");
}
