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
/// Asks for huge pages under large memory: what nobody has touched will be on them once a part of it is, and the system
/// moves the rest by and by, some MiB a second. False where it gives none, or the memory is too little.
///
/// They make kernels 2 to 7 per cent faster, but before a first slice they are a gamble. 256 MiB, touched for the first
/// time on a virtual machine: 140 ms in ordinary pages, in huge ones 22, but 670 once they had been free for seconds,
/// since the host takes such back. So ask for what is used often.
bool useHugePages(std::byte* memory, int64_t bytes) noexcept;
/// Moves what lies in the huge page from `begin` on, of memory for which that was true, now: in some milliseconds.
/// False where the system cannot.
bool gatherHugePage(std::byte* begin) noexcept;

}  // namespace jcs
