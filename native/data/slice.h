#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/alignment.h"
#include "ops/image_records.h"

namespace jcs::data {

/// Which values of a signed slice are stretched over [0, 1], in its own units (HU): centre ± width / 2.
struct IntensityWindow {
  double center = 0.5, width = 1;

  double low() const { return center - width / 2; }
  bool operator==(const IntensityWindow&) const = default;
};

/// Of Hounsfield units where nothing else is said: radiologists' for lungs.
inline constexpr IntensityWindow kLungWindow{-600, 1500};
/// INVALID_ARGUMENT unless it is finite and wider than nothing; `what` it is a window of.
void validate(const IntensityWindow& window, const char* what);

/// Millimetres between the centres of neighbouring pixels.
struct PixelSpacing {
  double row = 0, column = 0;  ///< from row to row, from column to column

  double pixelAreaMm2() const { return row * column; }
};

/// What is known of a decoded slice beside its pixels.
struct SliceInfo {
  PixelFormat format = PixelFormat::kU8;
  int64_t width = 0, height = 0;
  int64_t channels = 1;  ///< 1 or 3
  /// Of signed values, where somebody said which one; else the network's is used, and for pictures `kLungWindow`.
  std::optional<IntensityWindow> window;

  std::string source;  ///< what reports call it, as a file's name; no path
  std::optional<PixelSpacing> spacing;
  /// Centre of the first pixel in the patient's coordinates: x to the left, y to the back, z to the head.
  std::optional<std::array<double, 3>> positionMm;
  /// Unit vectors in the same coordinates, along a row and then down a column.
  std::optional<std::array<double, 6>> orientation;
  std::string instanceUid, seriesUid;  ///< as the file has them, valid or not

  int label = -1;  ///< 0 uninfected, 1 infected, −1 when there is none
  std::string patient;
  bool hasMask = false, maskIsEmpty = true;  ///< of the lesions that are known
  bool hasLungs = false;                     ///< a mask of the lungs is known

  bool isSigned() const { return format == PixelFormat::kI16; }
  /// Whether the right half of the image is the left half of the patient, as radiologists look at slices.
  bool rowsRunToPatientsLeft() const { return orientation && (*orientation)[0] > 0; }

  int64_t imageBytes() const { return width * height * channels * bytesOf(format); }
  /// One bit a pixel, the lowest of a byte first; 0 where there is no mask.
  int64_t maskBytes() const { return hasMask ? (width * height + 7) / 8 : 0; }
  int64_t lungBytes() const { return hasLungs ? (width * height + 7) / 8 : 0; }
};

/// A slice as a decoder hands it over. Rows top to bottom, channels interleaved. Values mean value/255, value/65535,
/// for floats themselves, in [0, 1], and for signed ones the place in a window, 0 or 1 outside.
struct DecodedSlice {
  SliceInfo info;
  std::vector<std::byte> pixels;
  std::vector<uint8_t> mask;        ///< of lesions: height × width, 0 or 1; empty when there is none
  std::vector<uint8_t> lungs = {};  ///< the same
};

/// Throws INVALID_ARGUMENT for sizes that contradict the data, for windows that are not finite or not wider than
/// nothing, for spacings that are not positive and labels other than 0, 1 and −1, NOT_FINITE for NaN or infinite
/// floats, INPUT_TOO_LARGE beyond 2^28 pixels.
void validate(const SliceInfo& info, std::span<const std::byte> pixels);

struct Normalization {
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> deviation{0.229f, 0.224f, 0.225f};
};

/// Samples begin at multiples of this in the bytes of a batch, so that values of every format are aligned.
inline constexpr int64_t kSampleAlignment = 16;
inline int64_t alignedSample(int64_t bytes) { return roundUp(bytes, kSampleAlignment); }

/// The record of a slice whose bytes begin at `offset`, resized whole to height × width. `window`: of signed values
/// that bring none of their own.
ImageRecord imageRecord(const SliceInfo& slice, const IntensityWindow& window, int64_t offset, int64_t height,
                        int64_t width);

}  // namespace jcs::data
