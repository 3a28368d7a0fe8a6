#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/vectorise.h"
#include "ops/images.h"

namespace jcs::cpu {

namespace {

/// Where pixels come from; elastic nodes, which many share, are drawn once.
class Placement {
 public:
  Placement(const Augmentation& a, int64_t height, int64_t width) : a_(a), height_(height), width_(width) {
    if (!a.bends()) return;
    for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i] = elasticNode(a, static_cast<int64_t>(i));
  }
  bool leavesInPlace() const {
    const Warp& w = a_.warp;
    return w.xu == Warp::kOne / 2 && w.yv == w.xu && w.xv == 0 && w.yu == 0 &&
           w.centreX == (width_ - 1) * (Warp::kOne / 2) && w.centreY == (height_ - 1) * (Warp::kOne / 2) && !a_.bends();
  }
  Warp::Point operator()(int64_t row, int64_t column) const {
    return sourceOf(a_, row, column, height_, width_,
                    [this](int64_t node) { return nodes_[static_cast<size_t>(node)]; });
  }

 private:
  const Augmentation& a_;
  int64_t height_, width_;
  std::array<ElasticNode, kElasticNodes> nodes_{};
};

/// Adds weight · the three channels of an image (bilinear) to `rgb`.
void addSample(const float* image, int64_t width, const WarpTap& x, const WarpTap& y, float weight, float* rgb) {
  const auto at = [&](int64_t line, int64_t pixel) { return image + 3 * (line * width + pixel); };
  const float *a = at(y.low, x.low), *b = at(y.low, x.high), *c = at(y.high, x.low), *d = at(y.high, x.high);
  for (int channel = 0; channel < 3; ++channel) {
    const float upper = a[channel] + x.fraction * (b[channel] - a[channel]);
    const float lower = c[channel] + x.fraction * (d[channel] - c[channel]);
    rgb[channel] += weight * (upper + y.fraction * (lower - upper));
  }
}

/// One row of the warped image, blurred or sharpened.
void warpRow(const Placement& placement, float sharpness, const float* image, int64_t row, int64_t height,
             int64_t width, float* rgb) {
  if (sharpness == 0 && placement.leavesInPlace()) {
    std::memcpy(rgb, image + row * width * 3, static_cast<size_t>(width) * 3 * sizeof(float));
    return;
  }
  for (int64_t column = 0; column < width; ++column, rgb += 3) {
    const Warp::Point from = placement(row, column);
    const WarpTap x = warpTap(from.x, width), y = warpTap(from.y, height);
    rgb[0] = rgb[1] = rgb[2] = 0;
    if (!x.inside || !y.inside) continue;
    addSample(image, width, x, y, 1 + sharpness, rgb);
    if (sharpness == 0) continue;
    binomialPoints(from, [&](Warp::Point at, float weight) {
      addSample(image, width, warpTap(at.x, width), warpTap(at.y, height), -sharpness * weight, rgb);
    });
  }
}

/// Standard normals of the pixels [first, first + count).
void fillNoise(const Augmentation& a, int64_t first, int64_t count, float* noise) {
  for (int64_t block = first / 4; block * 4 < first + count; ++block) {
    const NoiseBlock random = noiseBlock(a, static_cast<uint32_t>(block));
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t at = block * 4 + i - first;
      if (at < 0 || at >= count) continue;
      const float angle = 2 * std::numbers::pi_v<float> * random.turn[i / 2];
      noise[at] = std::sqrt(-2 * std::log(random.radius[i / 2])) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    }
  }
}

void changeIntensities(const Augmentation& a, const float* noise, int64_t width, float* rgb) {
  const auto change = [&](float value, float added) {
    const float curved = a.gamma == 1 ? value : std::pow(std::max(value, 0.0f), a.gamma);
    return std::clamp(curved * a.gain + a.offset + added, 0.0f, 1.0f);
  };
  for (int64_t q = 0; q < width; ++q, rgb += 3) {
    const float added = a.noise == 0 ? 0 : a.noise * noise[q];
    const bool gray = rgb[0] == rgb[1] && rgb[0] == rgb[2];  // CT nearly always: saves two powers in three
    rgb[0] = change(rgb[0], added);
    rgb[1] = gray ? rgb[0] : change(rgb[1], added);
    rgb[2] = gray ? rgb[0] : change(rgb[2], added);
  }
}

class AugmentKernel : public Kernel {
 public:
  explicit AugmentKernel(const Prepare& p)
      : pool_(p.device.pool()), threads_(p.options.threads), shape_(p.inputs[0].type.shape) {}

  int64_t scratchBytes() const override { return threads_ * lineFloats() * 4; }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    const int64_t height = shape_[1], width = shape_[2];
    const auto* x = reinterpret_cast<const float*>(in[0]);
    const auto* augmentations = reinterpret_cast<const Augmentation*>(in[1]);
    pool_.parallelFor(threads_, shape_[0] * height, 1 + 2048 / width, [&](int64_t begin, int64_t end, int thread) {
      float* noise = reinterpret_cast<float*>(scratch) + thread * lineFloats();
      for (int64_t i = begin; i < end; ++i) {
        const Augmentation& a = augmentations[i / height];
        float* rgb = reinterpret_cast<float*>(out[0]) + i * width * 3;
        warpRow(Placement(a, height, width), a.sharpness, x + i / height * height * width * 3, i % height, height,
                width, rgb);
        if (!a.changesIntensities()) continue;
        if (a.noise != 0) fillNoise(a, i % height * width, width, noise);
        changeIntensities(a, noise, width, rgb);
      }
    });
  }

 private:
  int64_t lineFloats() const { return (shape_[2] + 15) / 16 * 16; }

  ThreadPool& pool_;
  int threads_;
  Shape shape_;
};

/// Which pixel of the source each of a resized axis is nearest to: floor((i + ½) · input / output).
void placeNearest(std::vector<int64_t>& places, int64_t input, int64_t output) {
  places.resize(static_cast<size_t>(output));
  for (int64_t i = 0; i < output; ++i) places[static_cast<size_t>(i)] = (2 * i + 1) * input / (2 * output);
}

class BitsToMasksKernel : public Kernel {
 public:
  explicit BitsToMasksKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        bytes_(p.inputs[0].type.bytes()),
        shape_(p.outputs[0].type.shape),
        lanes_(static_cast<size_t>(threads_)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const int64_t height = shape_[1];
    const auto* sources = reinterpret_cast<const ImageRecord*>(in[1]);
    const auto* augmentations = in.size() == 3 ? reinterpret_cast<const Augmentation*>(in[2]) : nullptr;
    for (Lane& lane : lanes_) lane.sample = -1;
    pool_.parallelFor(threads_, shape_[0] * height, 1 + 8192 / shape_[2], [&](int64_t begin, int64_t end, int thread) {
      Lane& lane = lanes_[static_cast<size_t>(thread)];
      for (int64_t i = begin; i < end; ++i) {
        const int64_t sample = i / height;
        float* mask = reinterpret_cast<float*>(out[0]) + i * shape_[2];
        std::fill_n(mask, shape_[2], 0.0f);
        const ImageRecord& source = sources[sample];
        if (!hasUsableMask(source, bytes_)) continue;
        if (lane.sample != sample) {
          lane.sample = sample;
          placeNearest(lane.rows, source.height, height);
          placeNearest(lane.columns, source.width, shape_[2]);
        }
        readRow(lane, in[0] + source.maskOffset, source.width, augmentations ? &augmentations[sample] : nullptr,
                i % height, mask);
      }
    });
  }

 private:
  struct Lane {
    int64_t sample = -1;
    std::vector<int64_t> rows, columns;
  };

  void readRow(const Lane& lane, const std::byte* bits, int64_t sourceWidth, const Augmentation* augmentation,
               int64_t row, float* mask) const {
    const int64_t height = shape_[1], width = shape_[2];
    std::optional<Placement> placement;
    if (augmentation) placement.emplace(*augmentation, height, width);
    for (int64_t q = 0; q < width; ++q) {
      int64_t y = row, x = q;
      if (placement) {
        const Warp::Point from = (*placement)(row, q);
        const WarpTap across = warpTap(from.x, width), down = warpTap(from.y, height);
        if (!across.inside || !down.inside) continue;
        y = down.nearest();
        x = across.nearest();
      }
      const int64_t pixel = lane.rows[static_cast<size_t>(y)] * sourceWidth + lane.columns[static_cast<size_t>(x)];
      mask[q] = static_cast<float>((std::to_integer<unsigned>(bits[pixel / 8]) >> (pixel % 8)) & 1);
    }
  }

  ThreadPool& pool_;
  int threads_;
  int64_t bytes_;
  Shape shape_;
  std::vector<Lane> lanes_;
};

JCS_VECTORISED void mixLine(float* y, const float* x, const float* partner, float own, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = own * x[i] + (1 - own) * partner[i];
}

class MixKernel : public Kernel {
 public:
  explicit MixKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        known_(p.inputs[0].type.shape[0]),
        samples_(p.outputs[0].type.shape[0]),
        perSample_(p.outputs[0].type.elements() / std::max<int64_t>(1, samples_)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const auto* x = reinterpret_cast<const float*>(in[0]);
    const auto* mixed = reinterpret_cast<const MixedSample*>(in[1]);
    auto* y = reinterpret_cast<float*>(out[0]);
    for (int64_t n = 0; n < samples_; ++n) {
      const int64_t partner = mixed[n].partner >= 0 && mixed[n].partner < known_ ? mixed[n].partner : n;
      pool_.parallelFor(threads_, perSample_, 1 << 14, [&](int64_t begin, int64_t end, int) {
        mixLine(y + n * perSample_ + begin, x + n * perSample_ + begin, x + partner * perSample_ + begin, mixed[n].own,
                end - begin);
      });
    }
  }

 private:
  ThreadPool& pool_;
  int threads_;
  int64_t known_, samples_, perSample_;
};

/// Calls use(pixel, share of the pixel) for the pixels that cell i of `cells` covers along an axis.
template <typename Use>
void coveredPixels(int64_t i, int64_t cells, int64_t pixels, Use&& use) {
  const double size = static_cast<double>(pixels) / static_cast<double>(cells);
  const double begin = static_cast<double>(i) * size, end = static_cast<double>(i + 1) * size;
  for (auto pixel = static_cast<int64_t>(begin); pixel < pixels; ++pixel) {
    const double share = std::min(end, static_cast<double>(pixel + 1)) - std::max(begin, static_cast<double>(pixel));
    if (share <= 0) break;
    use(pixel, share);
  }
}

class AreaAverageKernel : public Kernel {
 public:
  explicit AreaAverageKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        in_(p.inputs[0].type.shape),
        out_(p.outputs[0].type.shape) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const int64_t height = in_[1], width = in_[2], cellRows = out_[1], cellColumns = out_[2];
    const double area = static_cast<double>(height * width) / static_cast<double>(cellRows * cellColumns);
    pool_.parallelFor(threads_, out_.elements(), 1 + static_cast<int64_t>(8192 / std::max(1.0, area)),
                      [&](int64_t begin, int64_t end, int) {
                        for (int64_t cell = begin; cell < end; ++cell) {
                          const float* x =
                              reinterpret_cast<const float*>(in[0]) + cell / (cellRows * cellColumns) * height * width;
                          double sum = 0;
                          coveredPixels(cell / cellColumns % cellRows, cellRows, height, [&](int64_t p, double down) {
                            coveredPixels(cell % cellColumns, cellColumns, width, [&](int64_t q, double across) {
                              sum += down * across * static_cast<double>(x[p * width + q]);
                            });
                          });
                          reinterpret_cast<float*>(out[0])[cell] = static_cast<float>(sum / area);
                        }
                      });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  Shape in_, out_;
};

template <typename KernelType>
std::unique_ptr<Kernel> make(const Prepare& p) {
  return std::make_unique<KernelType>(p);
}

}  // namespace

void registerImageAugmentation(Registry& registry) {
  registry.add<AugmentImages>(make<AugmentKernel>);
  registry.add<BitsToMasks>(make<BitsToMasksKernel>);
  registry.add<MixSamples>(make<MixKernel>);
  registry.add<AreaAverage>(make<AreaAverageKernel>);
}

}  // namespace jcs::cpu
