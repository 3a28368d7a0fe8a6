#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace jcs::diagnosis {

/// A height × width map resized bilinearly to the source's size (half-pixel centres, as the networks' own resizing).
std::vector<float> resizeMap(std::span<const float> map, int64_t width, int64_t height, int64_t targetWidth,
                             int64_t targetHeight);

}  // namespace jcs::diagnosis
