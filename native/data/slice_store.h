#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <variant>

#include "data/bit_mask.h"
#include "data/slice.h"
#include "io/unnamed_file.h"

namespace jcs::data {

/// Decoded slices, each copied in once and known by its index from then on: what classification, segmentation,
/// diagnosis, evaluation and training read, as often as they like. They stay in memory up to a limit; `spill` moves
/// what is beyond it to a file without a name. Any number of threads may read while others append, release and spill.
class SliceStore {
 public:
  static constexpr int64_t kDefaultMemoryLimit = int64_t{256} << 20;

  /// `directory`: of the file, by default the system's for temporary files.
  explicit SliceStore(int64_t memoryLimit = kDefaultMemoryLimit, std::string directory = "");

  /// Copies a slice and gives its index; takes memory alone, and no time for a disk. `mask` of its lesions and `lungs`:
  /// 0 or 1 a pixel, or empty.
  /// The errors of `validate`; SHAPE_MISMATCH for a mask of another size, INVALID_ARGUMENT for a mask value other than
  /// 0 and 1.
  size_t append(SliceInfo info, std::span<const std::byte> pixels, std::span<const uint8_t> mask = {},
                std::span<const uint8_t> lungs = {});
  size_t append(const DecodedSlice& slice) { return append(slice.info, slice.pixels, slice.mask, slice.lungs); }

  /// Whether slices lie in memory beyond the limit, so that `spill` has something to do.
  bool isOverLimit() const;
  /// Moves the newest slices to the file until the rest is within the limit. FILE_UNWRITABLE and DISK_FULL leave the
  /// others where they were, readable.
  void spill();

  /// Valid as long as the store is.
  const SliceInfo& info(size_t index) const;
  /// Bytes from `offset` on of a slice's: the image's and, behind them, the bits of the masks of lesions and lungs.
  /// FILE_UNREADABLE when the disk fails, DISPOSED for a slice that was released. Both, and all that take an index:
  /// INVALID_ARGUMENT for one that no slice has.
  void read(size_t index, std::span<std::byte> bytes, int64_t offset = 0) const;
  /// The same as values of their own; without a mask, the mask is empty.
  std::vector<std::byte> pixels(size_t index) const;
  BitMask mask(size_t index) const;
  BitMask lungs(size_t index) const;

  /// Gives up what slices [first, end) take, in memory and on the disk, once nobody reads them: their indices stay.
  void release(size_t first, size_t end);

  size_t size() const;
  /// Of all slices that were not released, wherever they lie.
  int64_t bytes() const;
  int64_t memoryBytes() const;

 private:
  using Memory = std::vector<std::byte>;
  /// A place in the file, which is given back with it.
  struct Spilled {
    std::shared_ptr<io::UnnamedFile> file;
    int64_t offset, bytes;

    Spilled(std::shared_ptr<io::UnnamedFile> f, std::span<const std::byte> data);
    ~Spilled();
    Spilled(const Spilled&) = delete;
    Spilled& operator=(const Spilled&) = delete;
  };
  /// Image bytes, then the masks' bits: shared, so that whoever reads them keeps them while they are spilled or
  /// released.
  using Block = std::variant<std::monostate, std::shared_ptr<const Memory>, std::shared_ptr<const Spilled>>;
  struct Entry {
    SliceInfo info;
    Block block;  ///< of nothing once released

    int64_t bytes() const { return info.imageBytes() + info.maskBytes() + info.lungBytes(); }
    bool isInMemory() const { return block.index() == 1; }
  };
  Entry& at(size_t index) const;  ///< call it with `mutex_` held
  BitMask bitsOf(size_t index, int64_t offset, int64_t bytes) const;

  const int64_t memoryLimit_;
  const std::string directory_;
  mutable std::mutex mutex_;
  mutable std::deque<Entry> entries_;  ///< a deque, so that infos stay where they are
  int64_t bytes_ = 0, memoryBytes_ = 0;
  std::mutex spilling_;  ///< held while the file grows, which `mutex_` is not
  std::shared_ptr<io::UnnamedFile> file_;
};

}  // namespace jcs::data
