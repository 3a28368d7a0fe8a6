#include "io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>

#include "core/json.h"

namespace jcs::io {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxRank = 64;
constexpr size_t kQuotedCharacters = 80;

/// Names from a hostile file are shortened and stripped of control characters before they enter a message.
std::string quote(const std::string& text) {
  std::string result = "'" + text.substr(0, kQuotedCharacters) + (text.size() > kQuotedCharacters ? "…'" : "'");
  for (char& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return result;
}

/// Event by event, because a document model would keep the last of two equal keys and recurse into nested values.
class HeaderParser : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderParser(const std::string& source) : source_(source) {}
  SafetensorsHeader header;

  bool start_object(size_t) override {
    if (place_ == Place::kOutside) return enter(Place::kTop);
    if (place_ == Place::kTop && key_ == "__metadata__") return enter(Place::kMetadata);
    if (place_ == Place::kTop) {
      header.entries.push_back({key_, "", {}, 0, 0});
      hasDtype_ = hasShape_ = hasOffsets_ = false;
      return enter(Place::kTensor);
    }
    corrupt(where() + "holds an object where none belongs");
  }

  bool end_object() override {
    if (place_ == Place::kTensor && !(hasDtype_ && hasShape_ && hasOffsets_))
      corrupt("tensor " + quote(header.entries.back().name) + " lacks its dtype, shape or data_offsets");
    return enter(place_ == Place::kTop ? Place::kOutside : Place::kTop);
  }

  bool start_array(size_t) override {
    if (place_ == Place::kTensor && key_ == "shape" && !hasShape_) return enter(Place::kShape);
    if (place_ == Place::kTensor && key_ == "data_offsets" && !hasOffsets_) return enter(Place::kOffsets);
    corrupt(where() + "holds a list where none belongs");
  }

  bool end_array() override {
    if (place_ == Place::kShape) hasShape_ = true;
    if (place_ == Place::kOffsets) {
      if (offsetCount_ != 2) corrupt(where() + "must have two data_offsets");
      hasOffsets_ = true;
      offsetCount_ = 0;
      if (offsets_[0] > offsets_[1]) corrupt(where() + "ends before it begins");
      header.entries.back().offset = offsets_[0];
      header.entries.back().bytes = offsets_[1] - offsets_[0];
    }
    return enter(Place::kTensor);
  }

  bool key(std::string& text) override {
    if (place_ == Place::kTop && !names_.insert(text).second) corrupt("the name " + quote(text) + " comes twice");
    if (place_ == Place::kMetadata && header.metadata.contains(text))
      corrupt("the metadata key " + quote(text) + " comes twice");
    key_ = text;
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::kMetadata) {
      header.metadata[key_] = text;
    } else if (place_ == Place::kTensor && key_ == "dtype" && !hasDtype_) {
      if (safetensorsElementBytes(text) == 0) corrupt(where() + "has the unknown dtype " + quote(text));
      header.entries.back().dtype = text;
      hasDtype_ = true;
    } else {
      corrupt(where() + "holds a text where none belongs");
    }
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (place_ == Place::kShape) {
      auto& shape = header.entries.back().shape;
      if (value > static_cast<uint64_t>(INT64_MAX) || shape.size() == kMaxRank)
        corrupt(where() + "has an impossible shape");
      shape.push_back(static_cast<int64_t>(value));
    } else if (place_ == Place::kOffsets && offsetCount_ < 2) {
      offsets_[offsetCount_++] = value;
    } else {
      corrupt(where() + "holds a number where none belongs");
    }
    return true;
  }

  bool number_integer(int64_t value) override {
    corrupt(where() + "holds the negative number " + std::to_string(value));
  }
  bool number_float(double, const std::string& text) override {
    corrupt(where() + "holds " + quote(text) + ", which is no whole number of 64 bits");
  }
  bool null() override { corrupt(where() + "holds null"); }
  bool boolean(bool) override { corrupt(where() + "holds true or false where none belongs"); }
  bool binary(binary_t&) override { corrupt(where() + "holds binary data"); }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    corrupt("its header is no valid JSON in UTF-8, at byte " + std::to_string(position));
  }

  [[noreturn]] void corrupt(const std::string& what) const {
    fail(errors::kCorruptFile, source_ + " is no valid safetensors file: " + what);
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kShape, kOffsets };

  bool enter(Place place) {
    place_ = place;
    return true;
  }
  std::string where() const {
    switch (place_) {
      case Place::kOutside: return "its header ";
      case Place::kTop: return "the entry " + quote(key_) + " ";
      case Place::kMetadata: return "the metadata key " + quote(key_) + " ";
      default: return "tensor " + quote(header.entries.back().name) + " ";
    }
  }

  const std::string& source_;
  Place place_ = Place::kOutside;
  std::string key_;
  std::unordered_set<std::string> names_;
  std::array<uint64_t, 2> offsets_{};
  size_t offsetCount_ = 0;
  bool hasDtype_ = false, hasShape_ = false, hasOffsets_ = false;
};

/// Bytes that dtype and shape ask for; nullopt when that overflows.
std::optional<uint64_t> wantedBytes(const SafetensorsEntry& entry) {
  uint64_t bytes = safetensorsElementBytes(entry.dtype);
  for (const int64_t extent : entry.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace

uint64_t safetensorsElementBytes(const std::string& dtype) {
  static const std::map<std::string, uint64_t> kBytes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"I64", 8},     {"U64", 8}, {"F64", 8}};
  const auto found = kBytes.find(dtype);
  return found == kBytes.end() ? 0 : found->second;
}

SafetensorsHeader parseSafetensorsHeader(std::span<const std::byte> json, uint64_t dataBytes,
                                         const std::string& source) {
  HeaderParser parser(source);
  const auto* text = reinterpret_cast<const char*>(json.data());
  Json::sax_parse(text, text + json.size(), &parser);

  auto& entries = parser.header.entries;
  for (const auto& entry : entries)
    if (wantedBytes(entry) != entry.bytes)
      parser.corrupt("the " + std::to_string(entry.bytes) + " bytes of tensor " + quote(entry.name) +
                     " do not fit its shape and dtype");
  std::ranges::stable_sort(entries, {}, [](const auto& entry) { return std::pair(entry.offset, entry.bytes); });
  uint64_t end = 0;
  for (const auto& entry : entries) {
    if (entry.offset != end)
      parser.corrupt("tensor " + quote(entry.name) +
                     (entry.offset < end ? " overlaps the one before it" : " leaves a hole before it"));
    if (__builtin_add_overflow(end, entry.bytes, &end) || end > dataBytes)
      parser.corrupt("tensor " + quote(entry.name) + " claims " + std::to_string(entry.bytes) + " bytes from " +
                     std::to_string(entry.offset) + " on, but the file holds " + std::to_string(dataBytes) +
                     " bytes of data; it was cut short or made to mislead");
  }
  if (end != dataBytes) parser.corrupt(std::to_string(dataBytes - end) + " bytes at its end belong to no tensor");
  return std::move(parser.header);
}

}  // namespace jcs::io
