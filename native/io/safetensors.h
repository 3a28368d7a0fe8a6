#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/tensor.h"
#include "io/file.h"

namespace jcs::io {

/// One tensor of a safetensors file as its header describes it.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;           ///< as written: "F32", "BF16", "I64", ...
  std::vector<int64_t> shape;  ///< of any rank
  uint64_t offset = 0;         ///< from the start of the data
  uint64_t bytes = 0;
};

/// A safetensors file, its header checked: u64 little-endian header length, JSON header, raw data. A tensor's data is
/// read when it is asked for, so that a model of any size is never in memory twice. It is read, not mapped: a file that
/// is truncated meanwhile is CORRUPT_FILE, no signal.
///
/// Nothing in it is trusted. The header is at most 100 MB and as long as it says; no name comes twice; every dtype,
/// shape and byte range fits the others; and the ranges tile the data exactly. Whatever breaks that is CORRUPT_FILE and
/// names the tensor. Memory is taken only for bytes that exist.
class SafetensorsFile {
 public:
  /// Also FILE_NOT_FOUND, FILE_UNREADABLE, OUT_OF_MEMORY.
  static SafetensorsFile open(const std::string& path);
  /// Copies `bytes`. `source` stands for the file's name in messages.
  static SafetensorsFile parse(std::span<const std::byte> bytes, const std::string& source = "the model bytes");

  /// The header's `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// In the order of their data.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  /// Null when there is no tensor of that name.
  const SafetensorsEntry* find(const std::string& name) const;
  /// The tensor as float32, from F64, F32, F16 or BF16. MISSING_PARAMETER when there is none of that name,
  /// UNSUPPORTED_FORMAT for other dtypes, SHAPE_MISMATCH for more than four dimensions.
  Tensor load(const std::string& name) const;
  /// Numbers of the tensor from `first` on, as `load` gives them, of any shape.
  void readFloats(const SafetensorsEntry& entry, size_t first, std::span<float> to) const;
  /// Bytes of the tensor from `from` on, as they are in the file.
  void read(const SafetensorsEntry& entry, uint64_t from, std::span<std::byte> target) const;
  /// CORRUPT_FILE when the file was written to since it was opened.
  void requireUnchanged() const {
    if (file_) file_->requireUnchanged();
  }
  /// InputFile's; empty where the data is in memory.
  std::string identity() const { return file_ ? file_->identity() : std::string(); }
  /// InputFile's; false where the data is in memory.
  bool isSettled() const { return file_ && file_->isSettled(); }
  const std::string& source() const { return source_; }

 private:
  SafetensorsFile(std::string source, std::span<const std::byte> header, uint64_t dataBytes);

  std::string source_;
  std::map<std::string, std::string> metadata_;
  std::vector<SafetensorsEntry> entries_;
  std::unordered_map<std::string, size_t> index_;
  std::unique_ptr<InputFile> file_;  ///< null: the data is in memory
  uint64_t dataStart_ = 0;           ///< in the file
  HostBuffer data_;
};

struct NamedTensor {
  std::string name;
  const Tensor* tensor;
};

/// Writes a safetensors file atomically (AtomicFile's errors). Data is ordered by element size, so that each tensor is
/// aligned to its own, and otherwise as given. INVALID_ARGUMENT for a name that comes twice or is not UTF-8.
void writeSafetensors(const std::string& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata);

}  // namespace jcs::io
