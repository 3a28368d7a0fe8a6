#pragma once

#include <span>

#include "backend/cuda/kernels/lanes.cuh"

/// One kernel for many small arrays, each of which is computed on for itself: starting a kernel for each would take
/// longer than all of the work.
namespace jcs::cuda {

/// Arrays of `elements` floats, of which an update reads some and writes others at the same place.
template <int kArrays>
struct UpdateMember {
  float* arrays[kArrays];
  int64_t elements;
  bool repeatsLast = false;  ///< the last array is one number
};

constexpr int kGroupMembers = 128;
constexpr int64_t kGroupChunk = 4096;  ///< elements of a block

/// What a kernel is started with; it lies in the device's constant memory.
template <int kArrays>
struct UpdateTable {
  int members = 0;
  bool isAligned = true;  ///< for accesses of 16 bytes
  int firstBlock[kGroupMembers + 1] = {};
  UpdateMember<kArrays> at[kGroupMembers];
};

/// `update.apply<V>(arrays, i, repeatsLast)` computes V neighbours at i.
template <int kArrays, typename Update>
__global__ void __launch_bounds__(kBlock) updateGroup(UpdateTable<kArrays> table, Update update) {
  int low = 0, high = table.members;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (table.firstBlock[middle] <= static_cast<int>(blockIdx.x) ? low : high) = middle;
  }
  float* arrays[kArrays];
#pragma unroll
  for (int k = 0; k < kArrays; ++k) arrays[k] = table.at[low].arrays[k];
  const bool repeatsLast = table.at[low].repeatsLast;
  const int64_t elements = table.at[low].elements, first = (blockIdx.x - table.firstBlock[low]) * kGroupChunk;
  const int64_t end = first + kGroupChunk < elements ? first + kGroupChunk : elements;
  const int64_t wide = table.isAligned ? first + (end - first) / 4 * 4 : first;
  const int64_t thread = threadIdx.x, threads = blockDim.x;
  for (int64_t i = first + thread * 4; i < wide; i += threads * 4) update.template apply<4>(arrays, i, repeatsLast);
  for (int64_t i = wide + thread; i < end; i += threads) update.template apply<1>(arrays, i, repeatsLast);
}

template <int kArrays, typename Update>
void launchUpdates(const Launcher& launcher, std::span<const UpdateMember<kArrays>> members, const Update& update) {
  for (size_t begin = 0; begin < members.size(); begin += kGroupMembers) {
    UpdateTable<kArrays> table;
    for (const UpdateMember<kArrays>& member :
         members.subspan(begin, std::min<size_t>(kGroupMembers, members.size() - begin))) {
      for (int k = 0; k < kArrays - (member.repeatsLast ? 1 : 0); ++k)
        table.isAligned = table.isAligned && reinterpret_cast<uintptr_t>(member.arrays[k]) % 16 == 0;
      table.at[table.members] = member;
      const auto blocks = static_cast<int>((member.elements + kGroupChunk - 1) / kGroupChunk);
      table.firstBlock[table.members + 1] = table.firstBlock[table.members] + blocks;
      ++table.members;
    }
    launch(updateGroup<kArrays, Update>, table.firstBlock[table.members], kBlock, 0, launcher, table, update);
  }
}

}  // namespace jcs::cuda
