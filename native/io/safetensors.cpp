#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "core/json.h"
#include "io/safetensors_header.h"

namespace jcs::io {

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian and is read as it is");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

uint64_t checkedHeaderBytes(uint64_t fileBytes, const std::byte* length, const std::string& source) {
  uint64_t headerBytes = 0;
  std::memcpy(&headerBytes, length, kLengthBytes);
  require(headerBytes <= kMaxHeaderBytes && headerBytes <= fileBytes - kLengthBytes, errors::kCorruptFile, [&] {
    return source + " is no valid safetensors file: it claims a header of " + std::to_string(headerBytes) +
           " bytes, the file has " + std::to_string(fileBytes) + " and headers end at 100 MB";
  });
  return headerBytes;
}

void requireLength(uint64_t fileBytes, const std::string& source) {
  require(fileBytes >= kLengthBytes, errors::kCorruptFile, [&] {
    return source + " is no valid safetensors file: it has only " + std::to_string(fileBytes) + " bytes";
  });
}

/// IEEE half precision. Multiplying by 2^112 moves the exponent's bias, for subnormal numbers too.
float fromHalf(uint16_t half) {
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fffu) << 13;
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  if (magnitude >= 0x7c00u << 13) return std::bit_cast<float>(sign | magnitude | 0x7f800000u);
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f));
}

/// Calls `read(at, stored)` for one part of `to` after the other, whose numbers it fills, and converts them.
template <typename Stored, typename Read, typename Convert>
void convert(std::span<float> to, Read read, Convert toFloat) {
  constexpr size_t kMost = 16384;
  std::vector<Stored> stored(std::min(to.size(), kMost));
  for (size_t at = 0; at < to.size(); at += kMost) {
    const auto part = std::span(stored).first(std::min(to.size() - at, kMost));
    read(at, part);
    std::ranges::transform(part, to.begin() + static_cast<std::ptrdiff_t>(at), toFloat);
  }
}

const char* safetensorsName(DType dtype) {
  return dtype == DType::kF32 ? "F32" : dtype == DType::kBF16 ? "BF16" : "F64";
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::string source, std::span<const std::byte> header, uint64_t dataBytes)
    : source_(std::move(source)) {
  SafetensorsHeader parsed = parseSafetensorsHeader(header, dataBytes, source_);
  metadata_ = std::move(parsed.metadata);
  entries_ = std::move(parsed.entries);
  for (size_t i = 0; i < entries_.size(); ++i) index_[entries_[i].name] = i;
}

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  auto opened = std::make_unique<InputFile>(path);
  const InputFile& file = *opened;
  const std::string source = "'" + path + "'";
  requireLength(file.bytes(), source);
  std::array<std::byte, kLengthBytes> length;
  file.read(0, length);
  std::vector<std::byte> header(checkedHeaderBytes(file.bytes(), length.data(), source));
  file.read(kLengthBytes, header);
  const uint64_t dataBytes = file.bytes() - kLengthBytes - header.size();
  SafetensorsFile result(source, header, dataBytes);
  result.file_ = std::move(opened);
  result.dataStart_ = kLengthBytes + header.size();
  return result;
}

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& source) {
  requireLength(bytes.size(), source);
  const uint64_t headerBytes = checkedHeaderBytes(bytes.size(), bytes.data(), source);
  const auto data = bytes.subspan(kLengthBytes + headerBytes);
  SafetensorsFile result(source, bytes.subspan(kLengthBytes, headerBytes), data.size());
  result.data_ = HostBuffer(static_cast<int64_t>(data.size()));
  std::ranges::copy(data, result.data_.data());
  return result;
}

const SafetensorsEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

void SafetensorsFile::read(const SafetensorsEntry& entry, uint64_t from, std::span<std::byte> target) const {
  invariant(from <= entry.bytes && target.size() <= entry.bytes - from, "a tensor is read beyond its end");
  if (file_)
    file_->read(dataStart_ + entry.offset + from, target);
  else
    std::ranges::copy_n(data_.data() + entry.offset + from, static_cast<std::ptrdiff_t>(target.size()), target.data());
}

void SafetensorsFile::readFloats(const SafetensorsEntry& entry, size_t first, std::span<float> to) const {
  const auto stored = [&]<typename T>(size_t at, std::span<T> part) {
    read(entry, (first + at) * sizeof(T), std::as_writable_bytes(part));
  };
  if (entry.dtype == "F32") {
    stored(0, to);
  } else if (entry.dtype == "F64") {
    convert<double>(to, stored, [](double value) { return static_cast<float>(value); });
  } else if (entry.dtype == "BF16") {
    convert<BFloat16>(to, stored, [](BFloat16 value) { return static_cast<float>(value); });
  } else if (entry.dtype == "F16") {
    convert<uint16_t>(to, stored, fromHalf);
  } else {
    fail(errors::kUnsupportedFormat, "tensor '" + entry.name + "' of " + source_ + " is stored as " + entry.dtype +
                                         "; parameters are F32, F64, F16 or BF16");
  }
}

Tensor SafetensorsFile::load(const std::string& name) const {
  const SafetensorsEntry* entry = find(name);
  require(entry != nullptr, errors::kMissingParameter, [&] { return source_ + " has no tensor '" + name + "'"; });
  require(entry->shape.size() <= Shape::kMaxRank, errors::kShapeMismatch, [&] {
    return "tensor '" + name + "' of " + source_ + " has " + std::to_string(entry->shape.size()) +
           " dimensions; networks use at most 4";
  });
  Tensor tensor(DType::kF32, Shape(std::span<const int64_t>(entry->shape)));
  readFloats(*entry, 0, tensor.as<float>());
  return tensor;
}

void writeSafetensors(const std::string& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<NamedTensor> ordered(tensors.begin(), tensors.end());
  std::ranges::stable_sort(ordered, std::ranges::greater{},
                           [](const NamedTensor& t) { return sizeOf(t.tensor->dtype()); });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::unordered_set<std::string> names{"__metadata__"};
  int64_t offset = 0;
  for (const auto& [name, tensor] : ordered) {
    require(names.insert(name).second, errors::kInvalidArgument,
            [&] { return "two tensors to be written are named '" + name + "'"; });
    const int64_t end = offset + tensor->bytes();
    header.push_back({name,
                      {{"dtype", safetensorsName(tensor->dtype())},
                       {"shape", tensor->shape().extents()},
                       {"data_offsets", {offset, end}}}});
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail(errors::kInvalidArgument, "a name or metadata text for '" + path + "' is not valid UTF-8");
  }
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');  // aligns the data

  AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& [name, tensor] : ordered) file.write({tensor->data(), static_cast<size_t>(tensor->bytes())});
  file.commit();
}

}  // namespace jcs::io
