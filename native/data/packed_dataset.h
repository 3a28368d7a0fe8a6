#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/pixels.h"

namespace jcs {

/// A decoded sample: what TypeScript appends and the loader reads.
struct Sample {
  Pixels image;
  std::vector<uint8_t> mask;  ///< height × width, 0 or 1; empty when there is none
  int label = -1;             ///< 0 uninfected, 1 infected, -1 when there is none
  std::string patient;
};

/// Decoded samples in a file without a name: preallocated as it grows, opened, unlinked, read with pread. Neither a
/// truncated file nor a full disk can therefore become a SIGBUS, and nothing is left behind whatever happens. Any
/// number of threads may read; one appends, before reading starts.
class PackedDataset {
 public:
  /// In `directory`, by default the system's for temporary files. FILE_UNWRITABLE.
  explicit PackedDataset(const std::string& directory = "");
  ~PackedDataset();
  PackedDataset(const PackedDataset&) = delete;
  PackedDataset& operator=(const PackedDataset&) = delete;

  /// The errors of `validate`; SHAPE_MISMATCH for a mask of another size, INVALID_ARGUMENT for a mask value other than
  /// 0 and 1 or a label other than 0, 1 and −1. DISK_FULL leaves the dataset as it was.
  void append(const Sample& sample);
  /// FILE_UNREADABLE when the disk fails.
  Sample read(size_t index) const;
  /// The same as it lies in the file: the first `bytes.size()` of the image's bytes and, behind them, the mask's.
  void readBytes(size_t index, std::span<std::byte> bytes) const;
  /// Without touching the file.
  struct Info {
    PixelFormat format;
    int64_t width, height, channels;
    IntensityWindow window;
    int label;
    bool hasMask;
    bool maskIsEmpty;
    std::string patient;

    int64_t imageBytes() const { return width * height * channels * bytesOf(format); }
    /// One bit a pixel, the lowest of a byte first; 0 where there is no mask.
    int64_t maskBytes() const { return hasMask ? (width * height + 7) / 8 : 0; }
  };
  const Info& info(size_t index) const { return infos_[index]; }
  size_t size() const { return infos_.size(); }
  int64_t bytes() const { return bytes_; }

 private:
  void reserve(int64_t bytes);

  std::string directory_;
  int descriptor_ = -1;
  int64_t bytes_ = 0, reserved_ = 0;
  std::vector<Info> infos_;
  std::vector<int64_t> offsets_;  ///< where a sample lies in the file: the image's bytes, then the mask's
};

}  // namespace jcs
