#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace jcs::io {

/// A protocol buffers message being written, field by field, in the wire format. Enough of it for ONNX files, and no
/// dependency on a code generator.
class ProtobufMessage {
 public:
  void integer(uint32_t field, int64_t value) {
    tag(field, kVarint);
    varint(static_cast<uint64_t>(value));
  }
  void float32(uint32_t field, float value) {
    tag(field, kFixed32);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<char>(bits >> shift));
  }
  /// Texts, raw bytes.
  void bytes(uint32_t field, std::string_view content) {
    tag(field, kLengthDelimited);
    varint(content.size());
    bytes_.append(content);
  }
  void message(uint32_t field, const ProtobufMessage& content) { bytes(field, content.bytes_); }
  /// A repeated integer field, unpacked: valid in both proto2 and proto3 readers.
  void integers(uint32_t field, std::span<const int64_t> values) {
    for (const int64_t value : values) integer(field, value);
  }
  /// Announces a nested message whose `size` bytes the caller appends by other means.
  void messageHeader(uint32_t field, uint64_t size) {
    tag(field, kLengthDelimited);
    varint(size);
  }

  const std::string& serialized() const { return bytes_; }

 private:
  static constexpr uint32_t kVarint = 0, kLengthDelimited = 2, kFixed32 = 5;

  void tag(uint32_t field, uint32_t wireType) { varint(field << 3 | wireType); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }

  std::string bytes_;
};

}  // namespace jcs::io
