#pragma once

#include <cstdint>

#include "core/device_function.h"
#include "core/philox_block.h"

/// The records that the ops of images.h read and write, one a sample, as bytes of the host's layout. Kernels check what
/// they read: whatever a record says, nothing outside of the operands is touched.
namespace jcs {

/// Values mean value/255, value/65535, or, of floats and of signed ones, themselves; then comes the source's window.
enum class PixelFormat : int32_t { kU8, kU16, kF32, kI16 };

JCS_DEVICE_FUNCTION inline int64_t bytesOf(PixelFormat format) {
  return format == PixelFormat::kU8 ? 1 : format == PixelFormat::kF32 ? 4 : 2;
}
/// What a value is divided by.
JCS_DEVICE_FUNCTION inline float fullScale(PixelFormat format) {
  return format == PixelFormat::kU8 ? 255.0f : format == PixelFormat::kU16 ? 65535.0f : 1.0f;
}

inline constexpr int64_t kMaxImagePixels = int64_t{1} << 28;

/// An image among the bytes of a batch, rows top to bottom, channels interleaved, and its mask: one bit a pixel, the
/// lowest of a byte first. The image is resized to resizedHeight × resizedWidth, of which the op's height × width are
/// cut out at (top, left).
struct ImageRecord {
  int64_t offset = 0;       ///< bytes; a multiple of a value's size
  int64_t maskOffset = -1;  ///< bytes; −1: no mask
  int32_t width = 0, height = 0;
  int32_t channels = 1;  ///< 1 or 3; of no image, which is black, 0
  PixelFormat format = PixelFormat::kU8;
  int32_t resizedWidth = 0, resizedHeight = 0, left = 0, top = 0;
  /// [low, low + width] of what the values mean becomes [0, 1], what is outside its nearest end.
  float windowLow = 0, windowWidth = 1;

  /// Others are in [0, 1] already.
  JCS_DEVICE_FUNCTION bool isWindowed() const {
    return format == PixelFormat::kI16 || windowLow != 0 || windowWidth != 1;
  }
};

/// Whether the image lies within that many bytes and its cut within what it is resized to.
JCS_DEVICE_FUNCTION inline bool isUsable(const ImageRecord& s, int64_t bytes, int64_t height, int64_t width) {
  constexpr int64_t kMaxExtent = 1 << 28;
  const int64_t format = static_cast<int64_t>(s.format);
  if (s.width < 1 || s.height < 1 || s.width > kMaxImagePixels / s.height || format < 0 || format > 3 ||
      (s.channels != 1 && s.channels != 3))
    return false;
  const int64_t imageBytes = int64_t{s.width} * s.height * s.channels * bytesOf(s.format);
  return s.offset >= 0 && s.offset % bytesOf(s.format) == 0 && imageBytes <= bytes && s.offset <= bytes - imageBytes &&
         s.left >= 0 && s.top >= 0 && s.resizedWidth <= kMaxExtent && s.resizedHeight <= kMaxExtent &&
         s.left + width <= s.resizedWidth && s.top + height <= s.resizedHeight;
}
JCS_DEVICE_FUNCTION inline bool hasUsableMask(const ImageRecord& s, int64_t bytes) {
  if (s.width < 1 || s.height < 1 || s.width > kMaxImagePixels / s.height) return false;
  const int64_t maskBytes = (int64_t{s.width} * s.height + 7) / 8;
  return s.maskOffset >= 0 && maskBytes <= bytes && s.maskOffset <= bytes - maskBytes;
}

/// Where a warp takes each pixel of its result from, in pixels of its operand, whose centres are at integers, as
/// multiples of 2⁻⁴⁰, so that every backend takes the same neighbours. With (u, v) twice the pixel's distance from the
/// centre, whole numbers, its source is (centreX + xu·u + xv·v, centreY + yu·u + yv·v).
struct Warp {
  static constexpr int kFractionBits = 40;
  static constexpr int64_t kOne = int64_t{1} << kFractionBits;

  int64_t centreX = 0, centreY = 0;
  int64_t xu = kOne / 2, xv = 0, yu = 0, yv = kOne / 2;

  struct Point {
    int64_t x, y;
  };
  /// Wraps around, and defined to, where a record is nonsense.
  JCS_DEVICE_FUNCTION Point sourceOf(int64_t row, int64_t column, int64_t height, int64_t width) const {
    const uint64_t u = static_cast<uint64_t>(2 * column - (width - 1));
    const uint64_t v = static_cast<uint64_t>(2 * row - (height - 1));
    const auto at = [&](int64_t centre, int64_t alongU, int64_t alongV) {
      return static_cast<int64_t>(static_cast<uint64_t>(centre) + static_cast<uint64_t>(alongU) * u +
                                  static_cast<uint64_t>(alongV) * v);
    };
    return {at(centreX, xu, xv), at(centreY, yu, yv)};
  }
};

/// One axis of a warped position: its neighbours, and how far it is from the lower to the higher. The outer half of
/// border pixels belongs to the image.
struct WarpTap {
  int64_t low, high;
  float fraction;  ///< a multiple of 2⁻²⁴
  bool inside;

  JCS_DEVICE_FUNCTION int64_t nearest() const { return fraction < 0.5f ? low : high; }
};
JCS_DEVICE_FUNCTION inline WarpTap warpTap(int64_t position, int64_t extent) {
  const int64_t last = (extent - 1) * Warp::kOne, half = Warp::kOne / 2;
  const bool inside = position >= -half && position <= last + half;
  const int64_t clamped = position < 0 ? 0 : position > last ? last : position;
  const int64_t low = clamped / Warp::kOne;
  const auto fraction = static_cast<float>((clamped % Warp::kOne) >> (Warp::kFractionBits - 24)) * 0x1p-24f;
  return {low, low + 1 < extent ? low + 1 : low, fraction, inside};
}

/// How far a node of the elastic grid moves, as shares of the augmentation's `elastic`, in multiples of 2⁻¹⁵.
struct ElasticNode {
  int32_t x, y;
};
/// Cells of the elastic grid along each axis of an image, and its nodes, rows first.
inline constexpr int64_t kElasticCells = 4;
inline constexpr int64_t kElasticNodes = (kElasticCells + 1) * (kElasticCells + 1);

/// What is done to an image of the network's size: the warp, bent where `elastic` is not 0, then
/// (x + sharpness · (x − b))^gamma · gain + offset + noise · n, kept in [0, 1]. b is x seen through the binomial filter
/// (1 2 1)ᵀ(1 2 1)/16, so that a sharpness of −1 is that filter, and 1 as much the other way; n is standard normal and
/// the same in the three channels.
struct Augmentation {
  Warp warp;
  int64_t elasticX = 0, elasticY = 0;  ///< how far nodes move at most: pixels in multiples of 2⁻⁴⁰
  float gamma = 1, gain = 1, offset = 0, noise = 0;
  uint32_t seedLow = 0, seedHigh = 0, epoch = 0, sample = 0;  ///< which noise, and which nodes
  float sharpness = 0;
  int32_t unused = 0;

  JCS_DEVICE_FUNCTION bool bends() const { return elasticX != 0 || elasticY != 0; }
  JCS_DEVICE_FUNCTION bool changesIntensities() const {
    return gamma != 1 || gain != 1 || offset != 0 || noise != 0 || sharpness != 0;
  }
};

/// RandomPurpose::kNoise and kElastic, where the host's generator cannot be included.
inline constexpr uint32_t kNoisePurpose = 6, kElasticPurpose = 9;

JCS_DEVICE_FUNCTION inline ElasticNode elasticNode(const Augmentation& a, int64_t node) {
  const PhiloxBlock bits =
      philoxBlock({{static_cast<uint32_t>(node), kElasticPurpose, a.epoch, a.sample}}, a.seedLow, a.seedHigh);
  const auto signedHalf = [](uint32_t word) { return static_cast<int32_t>(word >> 16) - (1 << 15); };
  return {signedHalf(bits.words[0]), signedHalf(bits.words[1])};
}

/// Where a pixel of the augmented image comes from. Between the nodes of its cell, which `nodeAt(node)` gives, a pixel
/// moves by their smooth average (3t² − 2t³ along each axis), in whole numbers.
template <typename NodeAt>
JCS_DEVICE_FUNCTION Warp::Point sourceOf(const Augmentation& a, int64_t row, int64_t column, int64_t height,
                                         int64_t width, const NodeAt& nodeAt) {
  Warp::Point from = a.warp.sourceOf(row, column, height, width);
  if (!a.bends()) return from;
  constexpr int kBits = 12;
  constexpr int64_t kOne = int64_t{1} << kBits;
  // A pixel's centre, in cells.
  const int64_t down = ((2 * row + 1) * kElasticCells << (kBits - 1)) / height;
  const int64_t across = ((2 * column + 1) * kElasticCells << (kBits - 1)) / width;
  const auto smooth = [](int64_t t) { return t * t * (3 * kOne - 2 * t) >> (2 * kBits); };
  const int64_t below = smooth(down % kOne), right = smooth(across % kOne);
  const int64_t node = down / kOne * (kElasticCells + 1) + across / kOne;
  const ElasticNode n00 = nodeAt(node), n01 = nodeAt(node + 1);
  const ElasticNode n10 = nodeAt(node + kElasticCells + 1), n11 = nodeAt(node + kElasticCells + 2);
  // Of 2^(15 + 2·kBits), and wrapping around where the record is nonsense.
  const auto moved = [&](int64_t position, int64_t elastic, int64_t a00, int64_t a01, int64_t a10, int64_t a11) {
    const int64_t share =
        ((kOne - right) * a00 + right * a01) * (kOne - below) + ((kOne - right) * a10 + right * a11) * below;
    const uint64_t product = static_cast<uint64_t>(elastic >> 20) * static_cast<uint64_t>(share >> 11);
    return static_cast<int64_t>(static_cast<uint64_t>(position) +
                                static_cast<uint64_t>(static_cast<int64_t>(product) >> (2 * kBits + 15 - 31)));
  };
  return {moved(from.x, a.elasticX, n00.x, n01.x, n10.x, n11.x), moved(from.y, a.elasticY, n00.y, n01.y, n10.y, n11.y)};
}

/// With nodes drawn pixel by pixel.
JCS_DEVICE_FUNCTION inline Warp::Point sourceOf(const Augmentation& a, int64_t row, int64_t column, int64_t height,
                                                int64_t width) {
  return sourceOf(a, row, column, height, width, [&](int64_t node) { return elasticNode(a, node); });
}

/// The binomial filter around a position: calls use(position x, position y, weight) for its nine points, a pixel apart.
/// Beyond its border an image goes on as it ends there (warpTap).
template <typename Use>
JCS_DEVICE_FUNCTION void binomialPoints(Warp::Point at, const Use& use) {
  for (int dy = -1; dy <= 1; ++dy)
    for (int dx = -1; dx <= 1; ++dx)
      use(Warp::Point{at.x + dx * Warp::kOne, at.y + dy * Warp::kOne},
          static_cast<float>((2 - dx * dx) * (2 - dy * dy)) / 16);
}

/// The noise of four pixels in a row, 4·block and on: normals, as a radius √(−2 ln radius[i]) and an angle 2π·turn[i]
/// of each two. Cosine and sine are those of the even and the odd pixel (Box and Muller).
struct NoiseBlock {
  float radius[2];  ///< in (0, 1]
  float turn[2];    ///< in [0, 1)
};
JCS_DEVICE_FUNCTION inline NoiseBlock noiseBlock(const Augmentation& a, uint32_t block) {
  const PhiloxBlock bits = philoxBlock({{block, kNoisePurpose, a.epoch, a.sample}}, a.seedLow, a.seedHigh);
  NoiseBlock noise;
  for (int i = 0; i < 2; ++i) {
    // 24 bits, which floats hold exactly.
    noise.radius[i] = static_cast<float>((bits.words[2 * i] >> 8) + 1) * 0x1p-24f;
    noise.turn[i] = static_cast<float>(bits.words[2 * i + 1] >> 8) * 0x1p-24f;
  }
  return noise;
}

/// Eq. 3: own · x + (1 − own) · the partner's.
struct MixedSample {
  int32_t partner = 0;  ///< index of a sample
  float own = 1;
};

/// Where the mask and the probabilities of a sample go, height × width each, and how large a probability is a lesion's.
struct MapTarget {
  int64_t offset = 0;  ///< pixels
  int32_t width = 0, height = 0;
  float threshold = 0.5f;
  int32_t unused = 0;
};
JCS_DEVICE_FUNCTION inline bool isUsable(const MapTarget& t, int64_t pixels) {
  if (t.width < 1 || t.height < 1 || t.width > kMaxImagePixels / t.height) return false;
  const int64_t count = int64_t{t.width} * t.height;
  return t.offset >= 0 && count <= pixels && t.offset <= pixels - count;
}

struct MapStatistics {
  int64_t lesionPixels = 0;  ///< of the mask
  int64_t notFinite = 0;     ///< values of the map, before it is resized
};

static_assert(sizeof(ImageRecord) == 56 && sizeof(Augmentation) == 104 && sizeof(MixedSample) == 8 &&
              sizeof(MapTarget) == 24 && sizeof(MapStatistics) == 16);

}  // namespace jcs
