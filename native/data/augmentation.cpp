#include "data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace jcs {

namespace {

/// Where the warp takes each output pixel from. With (u, v) the output pixel's distance from the image's centre:
/// x = centreX + xu·u + xv·v and y = centreY + yu·u + yv·v, in pixels of the input, pixel centres at integers.
struct Warp {
  double centreX, centreY;
  double xu = 1, xv = 0, yu = 0, yv = 1;
  bool identity = true;
};

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
  Warp warp;
  warp.centreX = (w + x.before - x.after) / 2 + shiftX - 0.5;
  warp.centreY = (h + y.before - y.after) / 2 + shiftY - 0.5;
  warp.xu = std::cos(angle) * scaleX;
  warp.xv = -std::sin(angle) * scaleY;
  warp.yu = std::sin(angle) * scaleX;
  warp.yv = std::cos(angle) * scaleY;
  warp.identity =
      scaleX == 1 && scaleY == 1 && angle == 0 && warp.centreX == (w - 1) / 2 && warp.centreY == (h - 1) / 2;
  return warp;
}

/// Position and weight of the two neighbours along one axis; the outer half of border pixels belongs to the image.
struct Neighbours {
  int64_t low, high;
  float fraction;
};

Neighbours neighbours(double position, int64_t extent) {
  const double inside = std::clamp(position, 0.0, static_cast<double>(extent - 1));
  const auto low = static_cast<int64_t>(inside);
  return {low, std::min(low + 1, extent - 1), static_cast<float>(inside - static_cast<double>(low))};
}

bool contains(double position, int64_t extent) {
  return position >= -0.5 && position <= static_cast<double>(extent) - 0.5;
}

void warpImage(const Warp& warp, int64_t height, int64_t width, std::vector<float>& rgb, std::vector<float>& mask) {
  std::vector<float> newRgb(rgb.size(), 0.0f), newMask(mask.size(), 0.0f);
  for (int64_t row = 0; row < height; ++row) {
    const double v = static_cast<double>(row) - static_cast<double>(height - 1) / 2;
    for (int64_t column = 0; column < width; ++column) {
      const double u = static_cast<double>(column) - static_cast<double>(width - 1) / 2;
      const double sourceX = warp.centreX + warp.xu * u + warp.xv * v;
      const double sourceY = warp.centreY + warp.yu * u + warp.yv * v;
      if (!contains(sourceX, width) || !contains(sourceY, height)) continue;
      const Neighbours x = neighbours(sourceX, width), y = neighbours(sourceY, height);
      const auto target = static_cast<size_t>(row * width + column);
      const auto at = [&](int64_t line, int64_t pixel) { return rgb.data() + 3 * (line * width + pixel); };
      const float *a = at(y.low, x.low), *b = at(y.low, x.high), *c = at(y.high, x.low), *d = at(y.high, x.high);
      for (size_t channel = 0; channel < 3; ++channel) {
        const float upper = a[channel] + x.fraction * (b[channel] - a[channel]);
        const float lower = c[channel] + x.fraction * (d[channel] - c[channel]);
        newRgb[3 * target + channel] = upper + y.fraction * (lower - upper);
      }
      if (!mask.empty()) {
        const int64_t nearestX = x.fraction < 0.5f ? x.low : x.high, nearestY = y.fraction < 0.5f ? y.low : y.high;
        newMask[target] = mask[static_cast<size_t>(nearestY * width + nearestX)];
      }
    }
  }
  rgb.swap(newRgb);
  mask.swap(newMask);
}

void changeIntensities(const AugmentationOptions& options, Philox& random, std::vector<float>& rgb) {
  const float gamma = options.gamma > 0 ? std::exp(random.uniform(-options.gamma, options.gamma)) : 1;
  const float gain = options.gain > 0 ? random.uniform(1 - options.gain, 1 + options.gain) : 1;
  const float offset = options.offset > 0 ? random.uniform(-options.offset, options.offset) : 0;
  const float deviation = options.noise > 0 ? random.uniform(0, options.noise) : 0;
  if (gamma == 1 && gain == 1 && offset == 0 && deviation == 0) return;
  const auto change = [&](float value, float noise) {
    const float curved = gamma == 1 ? value : std::pow(value, gamma);
    return std::clamp(curved * gain + offset + noise, 0.0f, 1.0f);
  };
  for (size_t i = 0; i + 2 < rgb.size(); i += 3) {
    const float noise = deviation > 0 ? deviation * random.normal() : 0;
    const bool gray = rgb[i] == rgb[i + 1] && rgb[i] == rgb[i + 2];  // CT nearly always: saves two powers in three
    rgb[i] = change(rgb[i], noise);
    rgb[i + 1] = gray ? rgb[i] : change(rgb[i + 1], noise);
    rgb[i + 2] = gray ? rgb[i] : change(rgb[i + 2], noise);
  }
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

void augment(const AugmentationOptions& options, Philox& random, int64_t height, int64_t width, std::vector<float>& rgb,
             std::vector<float>& mask) {
  invariant(rgb.size() == static_cast<size_t>(height * width * 3) &&
                (mask.empty() || mask.size() == static_cast<size_t>(height * width)),
            "an image to be augmented has another size");
  const Warp warp = drawWarp(options, random, height, width);
  if (!warp.identity) warpImage(warp, height, width, rgb, mask);
  changeIntensities(options, random, rgb);
}

}  // namespace jcs
