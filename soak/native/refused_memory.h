#pragma once

#include <cstdint>
#include <vector>

/// Memory that the system refuses: this program's malloc and all that is like it, new and mmap among them, in whatever
/// library asks; and a thread that is to be started counts as memory. What the dynamic linker takes for the storage of
/// threads is never refused, since glibc ends the process without it.
namespace jcs::soak {

/// From now on counts what is asked for, and refuses the `refused`th; 0: none. Of all threads, from 1.
void countAllocations(int64_t refused);
/// Ends that, and gives how many there were.
int64_t stopCounting();
/// What `countAllocations` counts, by the first of each place in the code that asks, told by its callers.
void findPlaces();
/// Ends that: their numbers.
std::vector<int64_t> stopFinding();
/// Blocks that were given and not returned.
int64_t blocksInUse();

}  // namespace jcs::soak
