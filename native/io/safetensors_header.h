#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace jcs::io {

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<SafetensorsEntry> entries;  ///< sorted by offset, tiling [0, dataBytes)
};

/// Bytes of one element; 0 for a dtype that the format does not have.
uint64_t safetensorsElementBytes(const std::string& dtype);

/// Parses and checks the JSON header of a file with `dataBytes` bytes of data. CORRUPT_FILE, naming `source`.
SafetensorsHeader parseSafetensorsHeader(std::span<const std::byte> json, uint64_t dataBytes,
                                         const std::string& source);

}  // namespace jcs::io
