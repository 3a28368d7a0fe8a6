#pragma once

#include <cstddef>
#include <cstdint>

namespace jcs {

/// Pages that processors look up at once; what is larger than two lies on such.
inline constexpr int64_t kHugePageBytes = 2 << 20;

/// Aligned to kMemoryAlignment, and from two huge pages on to these, which the system is asked for: such a page is
/// there as a whole once a part is touched. Null when the system refuses.
///
/// All but little memory is mapped for itself, and gone from the process when it is freed. The allocator would keep
/// what lies before some small thing that lives on, in each thread's share of it: a fifth of what a large model takes,
/// or nothing, by chance.
std::byte* allocateHostMemory(int64_t bytes) noexcept;
/// With as many bytes as were asked for.
void freeHostMemory(std::byte* memory, int64_t bytes) noexcept;

}  // namespace jcs
