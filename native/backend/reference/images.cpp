#include "ops/images.h"

#include <algorithm>
#include <cstring>
#include <numbers>

#include "backend/reference/kernels.h"
#include "ops/resize.h"

namespace jcs::reference {

namespace {

using Bytes = std::span<const std::byte>;

template <typename Record>
Record recordAt(Bytes table, int64_t i) {
  Record record;
  std::memcpy(&record, table.data() + static_cast<size_t>(i) * sizeof(Record), sizeof(Record));
  return record;
}

template <typename Number>
double numberAt(Bytes bytes, int64_t offset) {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(Number));
  return static_cast<double>(number);
}

double meaningAt(Bytes bytes, PixelFormat format, int64_t at) {
  switch (format) {
    case PixelFormat::kU8: return numberAt<uint8_t>(bytes, at) / 255;
    case PixelFormat::kU16: return numberAt<uint16_t>(bytes, at) / 65535;
    case PixelFormat::kF32: return numberAt<float>(bytes, at);
    case PixelFormat::kI16: return numberAt<int16_t>(bytes, at);
  }
  return 0;
}

/// In [0, 1].
double pixelAt(Bytes bytes, const ImageRecord& s, int64_t y, int64_t x, int64_t c) {
  const int64_t at = s.offset + ((y * s.width + x) * s.channels + c) * bytesOf(s.format);
  const double value = meaningAt(bytes, s.format, at);
  if (!s.isWindowed()) return value;
  return std::clamp((value - static_cast<double>(s.windowLow)) / static_cast<double>(s.windowWidth), 0.0, 1.0);
}

/// The weights of a triangle filter for position `i` of `output`, as PIL computes them.
std::vector<std::pair<int64_t, double>> triangleWeights(int64_t i, int64_t input, int64_t output) {
  const double scale = static_cast<double>(input) / static_cast<double>(output), radius = std::max(scale, 1.0);
  const double centre = (static_cast<double>(i) + 0.5) * scale;
  const auto begin = std::max<int64_t>(0, static_cast<int64_t>(centre - radius + 0.5));
  const auto end = std::min(input, static_cast<int64_t>(centre + radius + 0.5));
  std::vector<std::pair<int64_t, double>> weights;
  double sum = 0;
  for (int64_t x = begin; x < end; ++x) {
    const double weight = std::max(0.0, 1 - std::abs((static_cast<double>(x) + 0.5 - centre) / radius));
    weights.emplace_back(x, weight);
    sum += weight;
  }
  for (auto& [x, weight] : weights) weight /= sum;
  return weights;
}

void pixelsToImages(const PixelsToImages& op, const Operands& operands) {
  const Bytes bytes = operands.inputBytes[0];
  const Output& y = operands.outputs[0];
  y.fill(0);
  for (int64_t n = 0; n < y.extent(0); ++n) {
    const auto source = recordAt<ImageRecord>(operands.inputBytes[1], n);
    if (!isUsable(source, static_cast<int64_t>(bytes.size()), op.height, op.width)) continue;
    for (int64_t p = 0; p < op.height; ++p)
      for (int64_t q = 0; q < op.width; ++q)
        for (const auto& [row, down] : triangleWeights(p + source.top, source.height, source.resizedHeight))
          for (const auto& [column, across] : triangleWeights(q + source.left, source.width, source.resizedWidth))
            for (int64_t c = 0; c < 3; ++c)
              y.at(n, p, q, c) += down * across * pixelAt(bytes, source, row, column, source.channels == 3 ? c : 0);
  }
}

void bitsToMasks(const BitsToMasks& op, const Operands& operands) {
  const Bytes bytes = operands.inputBytes[0];
  const Output& y = operands.outputs[0];
  y.fill(0);
  // The source pixel in which the resized one's centre lies: floor((i + ½) · input / output), in whole numbers.
  const auto nearest = [](int64_t i, int64_t input, int64_t output) { return (2 * i + 1) * input / (2 * output); };
  for (int64_t n = 0; n < y.extent(0); ++n) {
    const auto source = recordAt<ImageRecord>(operands.inputBytes[1], n);
    if (!hasUsableMask(source, static_cast<int64_t>(bytes.size()))) continue;
    for (int64_t p = 0; p < op.height; ++p)
      for (int64_t q = 0; q < op.width; ++q) {
        int64_t row = p, column = q;
        if (operands.inputBytes.size() == 3) {
          const auto augmentation = recordAt<Augmentation>(operands.inputBytes[2], n);
          const Warp::Point from = sourceOf(augmentation, p, q, op.height, op.width);
          const WarpTap x = warpTap(from.x, op.width), y2 = warpTap(from.y, op.height);
          if (!x.inside || !y2.inside) continue;
          row = y2.nearest();
          column = x.nearest();
        }
        const int64_t pixel =
            nearest(row, source.height, op.height) * source.width + nearest(column, source.width, op.width);
        const auto byte = std::to_integer<unsigned>(bytes[static_cast<size_t>(source.maskOffset + pixel / 8)]);
        y.at(n, p, q, 0) = (byte >> (pixel % 8)) & 1;
      }
  }
}

double noiseAt(const Augmentation& a, int64_t pixel) {
  const NoiseBlock block = noiseBlock(a, static_cast<uint32_t>(pixel / 4));
  const auto pair = static_cast<size_t>(pixel % 4 / 2);
  const double radius = std::sqrt(-2 * std::log(static_cast<double>(block.radius[pair])));
  const double angle = 2 * std::numbers::pi * static_cast<double>(block.turn[pair]);
  return radius * (pixel % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

/// Bilinear.
double sampleAt(const Input& x, int64_t n, Warp::Point at, int64_t c) {
  const WarpTap across = warpTap(at.x, x.extent(2)), down = warpTap(at.y, x.extent(1));
  const double right = across.fraction, below = down.fraction;
  return (1 - below) * ((1 - right) * x.at(n, down.low, across.low, c) + right * x.at(n, down.low, across.high, c)) +
         below * ((1 - right) * x.at(n, down.high, across.low, c) + right * x.at(n, down.high, across.high, c));
}

void augmentImages(const AugmentImages&, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  const int64_t height = y.extent(1), width = y.extent(2);
  y.fill(0);
  for (int64_t n = 0; n < y.extent(0); ++n) {
    const auto a = recordAt<Augmentation>(operands.inputBytes[1], n);
    for (int64_t p = 0; p < height; ++p)
      for (int64_t q = 0; q < width; ++q)
        for (int64_t c = 0; c < 3; ++c) {
          double& value = y.at(n, p, q, c);
          const Warp::Point from = sourceOf(a, p, q, height, width);
          if (warpTap(from.x, width).inside && warpTap(from.y, height).inside) {
            value = sampleAt(x, n, from, c);
            double filtered = 0;
            binomialPoints(from, [&](Warp::Point at, float weight) {
              filtered += static_cast<double>(weight) * sampleAt(x, n, at, c);
            });
            value += static_cast<double>(a.sharpness) * (value - filtered);
          }
          if (!a.changesIntensities()) continue;
          const double noise = a.noise == 0 ? 0 : static_cast<double>(a.noise) * noiseAt(a, p * width + q);
          const double curved = std::pow(std::max(value, 0.0), static_cast<double>(a.gamma));
          value = std::clamp(curved * static_cast<double>(a.gain) + static_cast<double>(a.offset) + noise, 0.0, 1.0);
        }
  }
}

void mixSamples(const MixSamples&, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  const int64_t perSample = x.elements() / std::max<int64_t>(1, x.extent(0));
  for (int64_t n = 0; n < y.extent(0); ++n) {
    const auto mixed = recordAt<MixedSample>(operands.inputBytes[1], n);
    const int64_t partner = mixed.partner >= 0 && mixed.partner < x.extent(0) ? mixed.partner : n;
    for (int64_t i = 0; i < perSample; ++i)
      y[n * perSample + i] = static_cast<double>(mixed.own) * x[n * perSample + i] +
                             (1 - static_cast<double>(mixed.own)) * x[partner * perSample + i];
  }
}

/// How much of [i, i + 1) · size lies in [position, position + 1).
double overlap(int64_t i, double size, int64_t position) {
  const double begin = static_cast<double>(i) * size, end = static_cast<double>(i + 1) * size;
  const auto at = static_cast<double>(position);
  return std::max(0.0, std::min(end, at + 1) - std::max(begin, at));
}

void areaAverage(const AreaAverage& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const Output& y = operands.outputs[0];
  const double down = static_cast<double>(x.extent(1)) / static_cast<double>(op.height);
  const double across = static_cast<double>(x.extent(2)) / static_cast<double>(op.width);
  y.fill(0);
  for (int64_t n = 0; n < y.extent(0); ++n)
    for (int64_t p = 0; p < op.height; ++p)
      for (int64_t q = 0; q < op.width; ++q)
        for (int64_t row = 0; row < x.extent(1); ++row)
          for (int64_t column = 0; column < x.extent(2); ++column)
            y.at(n, p, q, 0) +=
                overlap(p, down, row) * overlap(q, across, column) * x.at(n, row, column, 0) / (down * across);
}

void mapsToSources(const MapsToSources& op, const Operands& operands) {
  const Input& x = operands.inputs[0];
  const int64_t height = x.extent(1), width = x.extent(2);
  for (int64_t n = 0; n < x.extent(0); ++n) {
    MapStatistics statistics;
    for (int64_t p = 0; p < height; ++p)
      for (int64_t q = 0; q < width; ++q) statistics.notFinite += !std::isfinite(x.at(n, p, q, 0));
    const auto target = recordAt<MapTarget>(operands.inputBytes[1], n);
    const bool usable = isUsable(target, op.pixels);
    for (int64_t i = 0; usable && i < int64_t{target.height} * target.width; ++i) {
      const ResizeTap down = resizeTap(i / target.width, height, target.height, false);
      const ResizeTap across = resizeTap(i % target.width, width, target.width, false);
      const auto along = [&](int64_t row) {
        return (1 - across.fraction) * x.at(n, row, across.low, 0) + across.fraction * x.at(n, row, across.high, 0);
      };
      const double value = (1 - down.fraction) * along(down.low) + down.fraction * along(down.high);
      const bool lesion = value > static_cast<double>(target.threshold);
      operands.outputBytes[0][static_cast<size_t>(target.offset + i)] = std::byte{lesion};
      statistics.lesionPixels += lesion;
      if (op.probabilities) operands.outputs[2][target.offset + i] = value;
    }
    std::memcpy(operands.outputBytes[1].data() + static_cast<size_t>(n) * sizeof statistics, &statistics,
                sizeof statistics);
  }
}

}  // namespace

void addImageKernels(KernelRegistry<Oracle>& kernels) {
  const auto add = [&]<typename OpType>(void (*compute)(const OpType&, const Operands&)) {
    // Dense operands only: nothing produces or reads channel slices of what these exchange.
    kernels.add<OpType>(
        [compute](const Preparation<Oracle>& p) { return std::make_unique<LoopKernel<OpType>>(p, compute); });
  };
  add(pixelsToImages);
  add(bitsToMasks);
  add(augmentImages);
  add(mixSamples);
  add(areaAverage);
  add(mapsToSources);
}

}  // namespace jcs::reference
