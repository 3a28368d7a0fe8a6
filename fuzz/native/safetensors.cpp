#include "io/safetensors.h"

#include "fuzz/native/source.h"

/// Files of weights: bytes as they are, or a header with as many bytes behind it as it says it has.

namespace jcs::fuzz {

std::string safetensors(std::string_view header, size_t dataBytes) {
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof(length));
  file += header;
  file.append(dataBytes, '?');
  return file;
}

namespace {

std::string fileOf(Bytes bytes) {
  Source source(bytes);
  const bool asItIs = source.flag();
  const size_t dataBytes = asItIs ? 0 : source.any<uint16_t>();
  const std::string rest(source.rest().begin(), source.rest().end());
  return asItIs ? rest : safetensors(rest, dataBytes);
}

}  // namespace

void fuzzSafetensors(Bytes bytes) {
  const std::string file = fileOf(bytes);
  allowing({errors::kCorruptFile}, [&] {
    const auto parsed = io::SafetensorsFile::parse(std::as_bytes(std::span(file)));
    uint64_t sum = 0;
    for (const io::SafetensorsEntry& entry : parsed.entries()) {
      holds(parsed.find(entry.name) == &entry, "an entry is found by its name");
      sum += entry.bytes;
      std::vector<std::byte> data(entry.bytes);
      parsed.read(entry, 0, data);
      allowing({errors::kUnsupportedFormat, errors::kShapeMismatch}, [&] {
        const Tensor tensor = parsed.load(entry.name);
        holds(tensor.dtype() == DType::kF32 && tensor.shape().rank() == static_cast<int>(entry.shape.size()),
              "a tensor is loaded as what its entry says");
      });
    }
    holds(sum <= file.size(), "the data of all entries lies in the file");
  });
}

}  // namespace jcs::fuzz
