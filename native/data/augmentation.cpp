#include "data/augmentation.h"

#include <cmath>
#include <numbers>

#include "core/philox.h"

namespace jcs::data {

namespace {

static_assert(kNoisePurpose == static_cast<uint32_t>(RandomPurpose::kNoise) &&
              kElasticPurpose == static_cast<uint32_t>(RandomPurpose::kElastic));

struct Margins {
  double before = 0, after = 0;
};

Margins randomMargins(float fraction, int64_t extent, Philox& random) {
  if (fraction == 0) return {};
  const double limit = static_cast<double>(fraction) * static_cast<double>(extent);
  const double before = limit * static_cast<double>(random.uniform());
  return {before, limit * static_cast<double>(random.uniform())};
}

Margins symmetricMargins(float fraction, int64_t extent, Philox& random) {
  const auto limit = static_cast<uint32_t>(static_cast<double>(fraction) * static_cast<double>(extent));
  const double margin = random.below(limit + 1);
  return {margin, margin};
}

int64_t fixed(double pixels) { return std::llround(pixels * static_cast<double>(Warp::kOne)); }

Warp drawWarp(const AugmentationOptions& options, Philox& random, int64_t height, int64_t width) {
  const auto chance = [&](float probability) { return probability > 0 && random.uniform() < probability; };
  const auto symmetric = [&](float range) {
    return range == 0 ? 0.0 : static_cast<double>(random.uniform(-range, range));
  };
  const double w = static_cast<double>(width), h = static_cast<double>(height);

  const bool mirrored = chance(options.horizontalFlip), flipped = chance(options.verticalFlip);
  Margins x = randomMargins(options.cropMargin, width, random), y = randomMargins(options.cropMargin, height, random);
  if (options.symmetricCrop > 0 && chance(0.5f)) {
    const Margins cutX = symmetricMargins(options.symmetricCrop, width, random);
    const Margins cutY = symmetricMargins(options.symmetricCrop, height, random);
    x = {x.before + cutX.before, x.after + cutX.after};
    y = {y.before + cutY.before, y.after + cutY.after};
  }
  const double zoom = std::exp(symmetric(std::log1p(options.scale)));
  const double angle = symmetric(options.rotationDegrees) * std::numbers::pi / 180;
  const double shiftX = symmetric(options.translation) * w, shiftY = symmetric(options.translation) * h;

  const double scaleX = (w - x.before - x.after) / w / zoom * (mirrored ? -1 : 1);
  const double scaleY = (h - y.before - y.after) / h / zoom * (flipped ? -1 : 1);
  // (u, v) of a warp are twice the distance from the centre.
  Warp warp;
  warp.centreX = fixed((w + x.before - x.after) / 2 + shiftX - 0.5);
  warp.centreY = fixed((h + y.before - y.after) / 2 + shiftY - 0.5);
  warp.xu = fixed(std::cos(angle) * scaleX / 2);
  warp.xv = fixed(-std::sin(angle) * scaleY / 2);
  warp.yu = fixed(std::sin(angle) * scaleX / 2);
  warp.yv = fixed(std::cos(angle) * scaleY / 2);
  return warp;
}

}  // namespace

AugmentationOptions AugmentationOptions::paper() {
  AugmentationOptions options;
  options.horizontalFlip = 0.5f;
  options.cropMargin = 0.125f;
  return options;
}

AugmentationOptions AugmentationOptions::authors() {
  AugmentationOptions options;
  options.verticalFlip = 0.5f;
  options.symmetricCrop = 7.0f / 224;
  return options;
}

AugmentationOptions AugmentationOptions::scratch() {
  AugmentationOptions options;
  options.horizontalFlip = 0.5f;
  options.verticalFlip = 0.5f;
  options.scale = 0.25f;
  options.rotationDegrees = 15;
  options.translation = 0.05f;
  options.gain = 0.1f;
  options.offset = 0.05f;
  options.gamma = 0.25f;
  options.noise = 0.03f;
  return options;
}

void drawWindow(const AugmentationOptions& options, uint64_t seed, uint32_t epoch, uint32_t sample,
                ImageRecord& record) {
  if (options.windowCenter == 0 && options.windowWidth == 0) return;
  Philox random(seed, epoch, sample, RandomPurpose::kWindow);
  const float shift = random.uniform(-options.windowCenter, options.windowCenter);
  const float range = std::log1p(options.windowWidth);
  const float factor = std::exp(random.uniform(-range, range));
  const float center = record.windowLow + record.windowWidth * (0.5f + shift);
  record.windowWidth *= factor;
  record.windowLow = center - record.windowWidth / 2;
}

Augmentation drawAugmentation(const AugmentationOptions& options, uint64_t seed, uint32_t epoch, uint32_t sample,
                              int64_t height, int64_t width) {
  Philox random(seed, epoch, sample, RandomPurpose::kAugment);
  Augmentation a;
  a.warp = drawWarp(options, random, height, width);
  if (options.gamma > 0) a.gamma = std::exp(random.uniform(-options.gamma, options.gamma));
  if (options.gain > 0) a.gain = random.uniform(1 - options.gain, 1 + options.gain);
  if (options.offset > 0) a.offset = random.uniform(-options.offset, options.offset);
  if (options.noise > 0) a.noise = random.uniform(0, options.noise);
  if (options.sharpness > 0) a.sharpness = random.uniform(-options.sharpness, options.sharpness);
  a.elasticX = fixed(static_cast<double>(options.elastic) * static_cast<double>(width));
  a.elasticY = fixed(static_cast<double>(options.elastic) * static_cast<double>(height));
  a.seedLow = static_cast<uint32_t>(seed);
  a.seedHigh = static_cast<uint32_t>(seed >> 32);
  a.epoch = epoch;
  a.sample = sample;
  return a;
}

}  // namespace jcs::data
