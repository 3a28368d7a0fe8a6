#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/vectorise.h"
#include "ops/images.h"

namespace jcs::cpu {

namespace {

/// The triangle filter of one position of an axis: weights of the pixels from `begin` on, which sum to one.
struct Triangle {
  int64_t begin = 0;
  std::vector<float> weights;

  /// With distances as whole numbers of 1/2·output pixels: |2·output·(x + ½ − (i + ½)·input/output)| against the
  /// filter's radius of max(1, input/output).
  void place(int64_t i, int64_t input, int64_t output) {
    const int64_t centre = (2 * i + 1) * input, radius = 2 * std::max(input, output);
    begin = centre - radius < output ? 0 : (centre - radius - output) / (2 * output) + 1;
    const int64_t end = std::min(input, (centre + radius + output - 1) / (2 * output));
    exact_.clear();
    double sum = 0;
    for (int64_t x = begin; x < end; ++x) {
      const auto distance = static_cast<double>(std::abs((2 * x + 1) * output - centre));
      exact_.push_back(std::max(0.0, 1 - distance / static_cast<double>(radius)));
      sum += exact_.back();
    }
    weights.resize(exact_.size());
    for (size_t k = 0; k < weights.size(); ++k) weights[k] = static_cast<float>(exact_[k] / sum);
  }

 private:
  std::vector<double> exact_;
};

/// What windowed values are stretched by before they are summed; others are divided by their full scale afterwards.
struct Window {
  float low = 0, width = 1;  ///< in values as they are stored

  explicit Window(const ImageRecord& s)
      : low(s.windowLow * fullScale(s.format)), width(s.windowWidth * fullScale(s.format)) {}
};

/// row = weight · x, or added to what is there.
template <bool kWindowed, typename T>
JCS_VECTORISED void addRow(float* row, const T* x, float weight, Window window, bool first, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float value = static_cast<float>(x[i]);
    if constexpr (kWindowed) {
      value = (value - window.low) / window.width;
      value = value < 0.0f ? 0.0f : value;
      value = value > 1.0f ? 1.0f : value;
    }
    row[i] = first ? weight * value : row[i] + weight * value;
  }
}

/// One channel of one row of the result, `stride` floats from pixel to pixel: sums[q] = Σ weights[k, q] · row[begin[q]
/// + k · channels]. Tap by tap, so that neighbours of the result are computed together.
JCS_VECTORISED void combineColumns(float* sums, const float* row, const int32_t* begin, const float* weights,
                                   int64_t taps, int64_t channels, int64_t width) {
  for (int64_t q = 0; q < width; ++q) sums[q] = 0;
  for (int64_t k = 0; k < taps; ++k, row += channels, weights += width)
    for (int64_t q = 0; q < width; ++q) sums[q] += weights[q] * row[begin[q]];
}

JCS_VECTORISED void spreadGray(float* rgb, const float* sums, float fullScale, int64_t width) {
  for (int64_t q = 0; q < width; ++q) rgb[3 * q] = rgb[3 * q + 1] = rgb[3 * q + 2] = sums[q] / fullScale;
}
JCS_VECTORISED void spreadChannel(float* rgb, const float* sums, float fullScale, int64_t width) {
  for (int64_t q = 0; q < width; ++q) rgb[3 * q] = sums[q] / fullScale;
}

/// Each row of the result is a weighted sum of source rows, whose columns are then combined: rows first, for there the
/// neighbours in memory are neighbours of the sum.
class PixelsToImagesKernel : public Kernel {
 public:
  explicit PixelsToImagesKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        bytes_(p.inputs[0].type.bytes()),
        samples_(p.outputs[0].type.shape[0]),
        height_(p.outputs[0].type.shape[1]),
        width_(p.outputs[0].type.shape[2]),
        lanes_(static_cast<size_t>(threads_)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const auto* sources = reinterpret_cast<const ImageRecord*>(in[1]);
    auto* images = reinterpret_cast<float*>(out[0]);
    for (Lane& lane : lanes_) lane.sample = -1;
    const int64_t grain = 1 + 8192 / width_;
    pool_.parallelFor(threads_, samples_ * height_, grain, [&](int64_t begin, int64_t end, int thread) {
      Lane& lane = lanes_[static_cast<size_t>(thread)];
      for (int64_t i = begin; i < end; ++i) {
        const ImageRecord& source = sources[i / height_];
        float* rgb = images + i * width_ * 3;
        if (!isUsable(source, bytes_, height_, width_)) {
          std::fill_n(rgb, width_ * 3, 0.0f);
          continue;
        }
        if (lane.sample != i / height_) {
          lane.sample = i / height_;
          placeColumns(lane, source);
        }
        makeRow(lane, source, in[0] + source.offset, i % height_, rgb);
      }
    });
  }

 private:
  /// What a thread keeps while it makes the rows of a sample.
  struct Lane {
    int64_t sample = -1;
    int64_t taps = 0;              ///< of every column: as many as the widest has
    std::vector<int32_t> begin;    ///< by column: its first float in `row`
    std::vector<float> weights;    ///< taps × width
    std::vector<float> row, sums;  ///< `row` ends with zeros for taps that reach past it
    Triangle triangle;
  };

  void placeColumns(Lane& lane, const ImageRecord& source) {
    const auto width = static_cast<size_t>(width_);
    const int64_t scale = (source.width + source.resizedWidth - 1) / source.resizedWidth;
    const auto taps = static_cast<size_t>(2 * scale + 2);
    lane.begin.assign(width, 0);
    lane.weights.assign(taps * width, 0.0f);
    size_t most = 0;
    for (size_t q = 0; q < width; ++q) {
      Triangle& triangle = lane.triangle;
      triangle.place(static_cast<int64_t>(q) + source.left, source.width, source.resizedWidth);
      invariant(triangle.weights.size() <= taps, "a filter is wider than its image's reduction");
      lane.begin[q] = static_cast<int32_t>(triangle.begin * source.channels);
      for (size_t k = 0; k < triangle.weights.size(); ++k) lane.weights[k * width + q] = triangle.weights[k];
      most = std::max(most, triangle.weights.size());
    }
    lane.taps = static_cast<int64_t>(most);
    lane.row.assign((static_cast<size_t>(source.width) + most) * static_cast<size_t>(source.channels), 0.0f);
    lane.sums.resize(width);
  }

  void makeRow(Lane& lane, const ImageRecord& source, const std::byte* pixels, int64_t y, float* rgb) {
    const int64_t count = int64_t{source.width} * source.channels;
    Triangle& triangle = lane.triangle;
    triangle.place(y + source.top, source.height, source.resizedHeight);
    for (size_t k = 0; k < triangle.weights.size(); ++k) {
      const int64_t at = (triangle.begin + static_cast<int64_t>(k)) * count;
      const auto add = [&]<typename T>(T) {
        const auto addAny = source.isWindowed() ? addRow<true, T> : addRow<false, T>;
        addAny(lane.row.data(), reinterpret_cast<const T*>(pixels) + at, triangle.weights[k], Window(source), k == 0,
               count);
      };
      switch (source.format) {
        case PixelFormat::kU8: add(uint8_t{}); break;
        case PixelFormat::kU16: add(uint16_t{}); break;
        case PixelFormat::kI16: add(int16_t{}); break;
        case PixelFormat::kF32: add(float{}); break;
      }
    }
    const float full = source.isWindowed() ? 1.0f : fullScale(source.format);
    for (int64_t c = 0; c < source.channels; ++c) {
      combineColumns(lane.sums.data(), lane.row.data() + c, lane.begin.data(), lane.weights.data(), lane.taps,
                     source.channels, width_);
      if (source.channels == 1) {
        spreadGray(rgb, lane.sums.data(), full, width_);
      } else {
        spreadChannel(rgb + c, lane.sums.data(), full, width_);
      }
    }
  }

  ThreadPool& pool_;
  int threads_;
  int64_t bytes_, samples_, height_, width_;
  std::vector<Lane> lanes_;
};

}  // namespace

void registerImages(Registry& registry) {
  registry.add<PixelsToImages>([](const Prepare& p) { return std::make_unique<PixelsToImagesKernel>(p); });
}

}  // namespace jcs::cpu
