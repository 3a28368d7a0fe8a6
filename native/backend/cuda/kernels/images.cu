#include "backend/cuda/kernels/images.h"

#include "backend/cuda/kernels/lanes.cuh"

namespace jcs::cuda {

namespace {

/// A pixel of the result.
struct Place {
  int64_t sample, row, column;
};
__device__ inline Place placeOf(int64_t pixel, const Divider& width, const Divider& height) {
  Place place{pixel, 0, 0};
  place.column = width.split(place.sample);
  place.row = height.split(place.sample);
  return place;
}

/// A triangle filter along one axis, unnormalised. Distances are whole numbers of 1/2·output pixels, so that a weight
/// is rounded once.
struct Triangle {
  int64_t begin, end;
  int64_t centre, output;
  float scale;  ///< of distances, to parts of the radius

  __device__ Triangle(int64_t i, int64_t input, int64_t resized) : output(resized) {
    const int64_t radius = 2 * (input > resized ? input : resized);
    centre = (2 * i + 1) * input;
    begin = centre - radius < resized ? 0 : (centre - radius - resized) / (2 * resized) + 1;
    end = (centre + radius + resized - 1) / (2 * resized);
    if (end > input) end = input;
    scale = 1.0f / static_cast<float>(radius);
  }
  __device__ float weight(int64_t x) const {
    const int64_t distance = (2 * x + 1) * output - centre;
    const float part = static_cast<float>(distance < 0 ? -distance : distance) * scale;
    return part < 1.0f ? 1.0f - part : 0.0f;
  }
};

/// Windowed values are in [0, 1]; others are divided by their full scale when they have been summed.
struct Stretch {
  bool isWindowed;
  float low, width;  ///< in values as they are stored

  __device__ explicit Stretch(const ImageRecord& s)
      : isWindowed(s.isWindowed()),
        low(s.windowLow * fullScale(s.format)),
        width(s.windowWidth * fullScale(s.format)) {}
  template <typename T>
  __device__ float operator()(T stored) const {
    const auto value = static_cast<float>(stored);
    if (!isWindowed) return value;
    const float part = (value - low) / width;
    return part < 0.0f ? 0.0f : part > 1.0f ? 1.0f : part;
  }
};

struct Rgb {
  float at[3];
};

/// The weighted mean of the source's pixels around one of the result.
template <int kChannels, typename T>
__device__ inline Rgb filtered(const ImageRecord& s, const T* pixels, int64_t y, int64_t x) {
  const Triangle down(y + s.top, s.height, s.resizedHeight), across(x + s.left, s.width, s.resizedWidth);
  const Stretch stretched(s);
  float sums[kChannels] = {}, weights = 0, columnWeights = 0;
  for (int64_t column = across.begin; column < across.end; ++column) columnWeights += across.weight(column);
  for (int64_t row = down.begin; row < down.end; ++row) {
    const T* line = pixels + row * s.width * kChannels;
    float lineSums[kChannels] = {};
    for (int64_t column = across.begin; column < across.end; ++column) {
      const float weight = across.weight(column);
#pragma unroll
      for (int c = 0; c < kChannels; ++c) lineSums[c] += weight * stretched(line[column * kChannels + c]);
    }
    const float weight = down.weight(row);
    weights += weight;
#pragma unroll
    for (int c = 0; c < kChannels; ++c) sums[c] += weight * lineSums[c];
  }
  const float divisor = weights * columnWeights * (s.isWindowed() ? 1.0f : fullScale(s.format));
  Rgb rgb;
#pragma unroll
  for (int c = 0; c < 3; ++c) rgb.at[c] = sums[kChannels == 3 ? c : 0] / divisor;
  return rgb;
}

template <typename T>
__device__ inline Rgb filteredOf(const ImageRecord& s, const std::byte* bytes, int64_t y, int64_t x) {
  const T* pixels = reinterpret_cast<const T*>(bytes + s.offset);
  return s.channels == 3 ? filtered<3>(s, pixels, y, x) : filtered<1>(s, pixels, y, x);
}

__global__ void imagesKernel(int64_t pixels, Divider width, Divider height, const std::byte* bytes, int64_t byteCount,
                             const ImageRecord* sources, float* images) {
  for (int64_t i = globalThread(); i < pixels; i += globalThreads()) {
    const Place p = placeOf(i, width, height);
    const ImageRecord s = sources[p.sample];
    Rgb rgb = {};
    if (isUsable(s, byteCount, height.divisor(), width.divisor())) {
      switch (s.format) {
        case PixelFormat::kU8: rgb = filteredOf<uint8_t>(s, bytes, p.row, p.column); break;
        case PixelFormat::kU16: rgb = filteredOf<uint16_t>(s, bytes, p.row, p.column); break;
        case PixelFormat::kF32: rgb = filteredOf<float>(s, bytes, p.row, p.column); break;
        case PixelFormat::kI16: rgb = filteredOf<int16_t>(s, bytes, p.row, p.column); break;
      }
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) images[3 * i + c] = rgb.at[c];
  }
}

__global__ void masksKernel(int64_t pixels, Divider width, Divider height, const std::byte* bytes, int64_t byteCount,
                            const ImageRecord* sources, const Augmentation* augmentations, float* masks) {
  const int64_t h = height.divisor(), w = width.divisor();
  for (int64_t i = globalThread(); i < pixels; i += globalThreads()) {
    const Place p = placeOf(i, width, height);
    const ImageRecord s = sources[p.sample];
    int64_t row = p.row, column = p.column;
    bool inside = hasUsableMask(s, byteCount);
    if (inside && augmentations) {
      const Augmentation a = augmentations[p.sample];
      const Warp::Point from = sourceOf(a, p.row, p.column, h, w);
      const WarpTap x = warpTap(from.x, w), y = warpTap(from.y, h);
      inside = x.inside && y.inside;
      row = y.nearest();
      column = x.nearest();
    }
    float value = 0;
    if (inside) {
      // The source pixel in which the resized one's centre lies.
      const int64_t pixel = (2 * row + 1) * s.height / (2 * h) * s.width + (2 * column + 1) * s.width / (2 * w);
      const auto byte = static_cast<unsigned>(bytes[s.maskOffset + pixel / 8]);
      value = static_cast<float>((byte >> (pixel % 8)) & 1u);
    }
    masks[i] = value;
  }
}

__device__ inline float noiseAt(const Augmentation& a, int64_t pixel) {
  constexpr float kTurn = 6.28318530717958648f;
  const NoiseBlock block = noiseBlock(a, static_cast<uint32_t>(pixel / 4));
  const bool second = pixel % 4 >= 2, odd = pixel % 2 != 0;
  const float radius = sqrtf(-2.0f * logf(second ? block.radius[1] : block.radius[0]));
  const float angle = kTurn * (second ? block.turn[1] : block.turn[0]);
  return radius * (odd ? sinf(angle) : cosf(angle));
}

__device__ inline Rgb bilinearAt(const float* image, int64_t width, const WarpTap& across, const WarpTap& down) {
  Rgb rgb = {};
#pragma unroll
  for (int c = 0; c < 3; ++c) {
    const auto at = [&](int64_t row, int64_t column) { return image[3 * (row * width + column) + c]; };
    const float a0 = at(down.low, across.low), b0 = at(down.low, across.high);
    const float a1 = at(down.high, across.low), b1 = at(down.high, across.high);
    const float upper = a0 + across.fraction * (b0 - a0), lower = a1 + across.fraction * (b1 - a1);
    rgb.at[c] = upper + down.fraction * (lower - upper);
  }
  return rgb;
}

__global__ void augmentKernel(int64_t pixels, Divider width, Divider height, const float* x,
                              const Augmentation* augmentations, float* y) {
  const int64_t h = height.divisor(), w = width.divisor();
  for (int64_t i = globalThread(); i < pixels; i += globalThreads()) {
    const Place p = placeOf(i, width, height);
    const Augmentation a = augmentations[p.sample];
    const Warp::Point from = sourceOf(a, p.row, p.column, h, w);
    const WarpTap across = warpTap(from.x, w), down = warpTap(from.y, h);
    Rgb rgb = {};
    if (across.inside && down.inside) {
      const float* image = x + 3 * p.sample * h * w;
      rgb = bilinearAt(image, w, across, down);
      if (a.sharpness != 0.0f) {
        Rgb filtered = {};
        binomialPoints(from, [&](Warp::Point at, float weight) {
          const Rgb sample = bilinearAt(image, w, warpTap(at.x, w), warpTap(at.y, h));
#pragma unroll
          for (int c = 0; c < 3; ++c) filtered.at[c] += weight * sample.at[c];
        });
#pragma unroll
        for (int c = 0; c < 3; ++c) rgb.at[c] += a.sharpness * (rgb.at[c] - filtered.at[c]);
      }
    }
    if (a.changesIntensities()) {
      const float noise = a.noise == 0.0f ? 0.0f : a.noise * noiseAt(a, p.row * w + p.column);
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        const float curved = a.gamma == 1.0f ? rgb.at[c] : powf(rgb.at[c] < 0.0f ? 0.0f : rgb.at[c], a.gamma);
        const float value = curved * a.gain + a.offset + noise;
        rgb.at[c] = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
      }
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) y[3 * i + c] = rgb.at[c];
  }
}

__global__ void mixKernel(int64_t elements, Divider perSample, int64_t known, const float* x, const MixedSample* mixed,
                          float* y) {
  for (int64_t i = globalThread(); i < elements; i += globalThreads()) {
    int64_t sample = i;
    const int64_t element = perSample.split(sample);
    const MixedSample m = mixed[sample];
    const int64_t partner = m.partner >= 0 && m.partner < known ? m.partner : sample;
    y[i] = m.own * x[i] + (1.0f - m.own) * x[partner * perSample.divisor() + element];
  }
}

/// A warp for each cell, its lanes side by side along rows.
__global__ void areaKernel(int64_t cells, Divider cellColumns, Divider cellRows, int64_t height, int64_t width,
                           const float* x, float* y) {
  const int64_t cell = globalThread() / kWarp, lane = threadIdx.x % kWarp;
  const bool isCell = cell < cells;
  double sum = 0;
  int64_t sample = isCell ? cell : 0;
  const int64_t q = cellColumns.split(sample), p = cellRows.split(sample);
  const double tall = static_cast<double>(height) / static_cast<double>(cellRows.divisor());
  const double wide = static_cast<double>(width) / static_cast<double>(cellColumns.divisor());
  const double top = static_cast<double>(p) * tall, bottom = static_cast<double>(p + 1) * tall;
  const double left = static_cast<double>(q) * wide, right = static_cast<double>(q + 1) * wide;
  const auto share = [](double begin, double end, int64_t pixel) {
    const double low = static_cast<double>(pixel), high = static_cast<double>(pixel + 1);
    return (end < high ? end : high) - (begin > low ? begin : low);
  };
  for (int64_t row = static_cast<int64_t>(top); isCell && row < height && share(top, bottom, row) > 0; ++row) {
    const float* line = x + (sample * height + row) * width;
    for (int64_t column = static_cast<int64_t>(left) + lane; column < width && share(left, right, column) > 0;
         column += kWarp)
      sum += share(top, bottom, row) * share(left, right, column) * static_cast<double>(line[column]);
  }
#pragma unroll
  for (int bits = kWarp / 2; bits > 0; bits /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bits);
  if (isCell && lane == 0) y[cell] = static_cast<float>(sum / (tall * wide));
}

/// The grid of a kernel with a thread for each pixel of the result.
struct PixelGrid {
  int64_t pixels, blocks;
  Divider width, height;

  PixelGrid(const Launcher& launcher, const ImageExtent& e)
      : pixels(e.pixels()), blocks(launcher.blocksFor(pixels)), width(e.width, pixels), height(e.height, pixels) {}
};

}  // namespace

void pixelsToImages(const Launcher& launcher, const ImageExtent& extent, const std::byte* bytes, int64_t byteCount,
                    const ImageRecord* sources, float* images) {
  const PixelGrid grid(launcher, extent);
  launch(imagesKernel, grid.blocks, kBlock, 0, launcher, grid.pixels, grid.width, grid.height, bytes, byteCount,
         sources, images);
}

void bitsToMasks(const Launcher& launcher, const ImageExtent& extent, const std::byte* bytes, int64_t byteCount,
                 const ImageRecord* sources, const Augmentation* augmentations, float* masks) {
  const PixelGrid grid(launcher, extent);
  launch(masksKernel, grid.blocks, kBlock, 0, launcher, grid.pixels, grid.width, grid.height, bytes, byteCount, sources,
         augmentations, masks);
}

void augmentImages(const Launcher& launcher, const ImageExtent& extent, const float* x,
                   const Augmentation* augmentations, float* y) {
  const PixelGrid grid(launcher, extent);
  launch(augmentKernel, grid.blocks, kBlock, 0, launcher, grid.pixels, grid.width, grid.height, x, augmentations, y);
}

void mixSamples(const Launcher& launcher, int64_t known, int64_t samples, int64_t perSample, const float* x,
                const MixedSample* mixed, float* y) {
  const int64_t elements = samples * perSample;
  launch(mixKernel, launcher.blocksFor(elements), kBlock, 0, launcher, elements,
         Divider(std::max<int64_t>(1, perSample), elements), known, x, mixed, y);
}

void areaAverage(const Launcher& launcher, const ImageExtent& extent, int64_t cellRows, int64_t cellColumns,
                 const float* x, float* y) {
  const int64_t cells = extent.samples * cellRows * cellColumns;
  launch(areaKernel, (cells * kWarp + kBlock - 1) / kBlock, kBlock, 0, launcher, cells, Divider(cellColumns, cells),
         Divider(cellRows, cells), extent.height, extent.width, x, y);
}

}  // namespace jcs::cuda
