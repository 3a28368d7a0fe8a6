#pragma once

#include <cstdint>
#include <string>

namespace jcs::cpu {

/// The processor's marketing name, "unknown processor" where the system does not tell.
std::string processorName();

/// Threads that can run at once: the affinity mask's processors, or fewer where a cgroup's CPU quota says so.
int availableThreads();

/// Bytes of memory that a new allocation can count on: the system's available memory, or what the cgroup's limit
/// leaves where that is less.
int64_t availableMemoryBytes();

/// Total memory, or the cgroup's limit where that is less.
int64_t totalMemoryBytes();

}  // namespace jcs::cpu
