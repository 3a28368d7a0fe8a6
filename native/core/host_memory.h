#pragma once

#include <cstddef>
#include <cstdint>

namespace jcs {

/// Pages that processors look up at once.
inline constexpr int64_t kHugePageBytes = 2 << 20;

/// Aligned to kMemoryAlignment, and from two huge pages on to these. Null when the system refuses.
///
/// All but little memory is mapped for itself, and gone from the process when it is freed. The allocator would keep
/// what lies before some small thing that lives on, in each thread's share of it: a fifth of what a large model takes,
/// or nothing, by chance.
std::byte* allocateHostMemory(int64_t bytes) noexcept;
/// With as many bytes as were asked for.
void freeHostMemory(std::byte* memory, int64_t bytes) noexcept;
/// Asks for huge pages under large memory: what was touched is moved to such by and by, and what was not is on them
/// once a part of it is. They make kernels a hundredth to a fiftieth faster, but before a first slice they are a
/// gamble. 256 MiB, touched for the first time on a virtual machine: 140 ms in ordinary pages, in huge ones 22, but 670
/// once they had been free for seconds, since the host takes such back. So ask for what is used often.
void useHugePages(std::byte* memory, int64_t bytes) noexcept;

}  // namespace jcs
