#include <array>

#include "backend/cuda/kernels/block_sum.cuh"
#include "backend/cuda/kernels/lanes.cuh"
#include "core/philox.h"
#include "native/harness.h"

/// That the emulation of CUDA's execution model finds what it is there to find, and what kernels rest upon and no case
/// of the conformance table reaches.

using namespace jcs;
using cuda_emulation::Order;

namespace {

using Floats = std::vector<float>;

Floats runWith(Order order, int64_t blocks, int threads, int64_t sharedBytes, const std::function<void(float*)>& body) {
  Floats results(static_cast<size_t>(blocks * threads), -1.0f);
  cuda_emulation::runGrid({order}, blocks, threads, sharedBytes, [&] { body(results.data()); });
  return results;
}

/// Each thread gets its neighbour's number, with or without the barrier that this takes.
void readNeighbour(float* results, bool isOrdered) {
  float* shared = cuda::sharedMemory<float>();
  shared[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (isOrdered) __syncthreads();
  results[cuda::globalThread()] = shared[(threadIdx.x + 1) % blockDim.x];
}

}  // namespace

TEST("the emulation runs every thread of every block once, in every order") {
  for (Order order : {Order::kForward, Order::kReverse, Order::kShuffled}) {
    Floats counts(3 * 70, 0.0f);
    cuda_emulation::runGrid({order}, 3, 70, 0, [&] { counts[static_cast<size_t>(cuda::globalThread())] += 1; });
    CHECK(counts == Floats(3 * 70, 1.0f));
  }
}

TEST("the emulation's barriers order shared memory; without one, results depend on the order of the threads") {
  Floats expected;
  for (int block = 0; block < 2; ++block)
    for (int i = 0; i < 96; ++i) expected.push_back(static_cast<float>((i + 1) % 96));
  bool isRaceSeen = false;
  for (Order order : {Order::kForward, Order::kReverse, Order::kShuffled}) {
    CHECK(runWith(order, 2, 96, 96 * 4, [](float* results) { readNeighbour(results, true); }) == expected);
    isRaceSeen |= runWith(order, 2, 96, 96 * 4, [](float* results) { readNeighbour(results, false); }) != expected;
  }
  CHECK(isRaceSeen);
}

TEST("the emulation's shared memory is NaN when a block starts") {
  const Floats results = runWith(Order::kForward, 2, 32, 32 * 4, [](float* out) {
    float* shared = cuda::sharedMemory<float>();
    out[cuda::globalThread()] = shared[threadIdx.x];
    shared[threadIdx.x] = 1;
  });
  for (float value : results) CHECK(std::isnan(value));
}

TEST("the emulation reports barriers that not all threads reach") {
  const auto run = [](auto body) { return [body] { runWith(Order::kForward, 1, 64, 0, [body](float*) { body(); }); }; };
  CHECK_ERROR(run([] {
                if (threadIdx.x < 40) __syncthreads();
              }),
              errors::kInternal, "thread 0 waits at cuda_emulation_test.cpp", "thread 40 has ended");
  CHECK_ERROR(run([] {
                if (threadIdx.x < 40) {
                  __syncthreads();
                } else {
                  __syncthreads();
                }
              }),
              errors::kInternal, "not all threads");
  CHECK_ERROR(run([] {
                if (threadIdx.x % 2 == 0) __shfl_xor_sync(0xffffffffu, 1.0f, 2);
              }),
              errors::kInternal, "not all threads");
  // The next grid is none the worse for it.
  CHECK(runWith(Order::kForward, 1, 64, 0, [](float* out) { out[cuda::globalThread()] = 2; }) == Floats(64, 2.0f));
}

TEST("sums over warps and blocks are the same in every thread and every order") {
  for (int threads : {32, 96, 256}) {
    const auto expected = static_cast<float>(threads * (threads - 1) / 2);
    for (Order order : {Order::kForward, Order::kReverse}) {
      const Floats results = runWith(order, 2, threads, threads / 32 * 4, [](float* out) {
        out[cuda::globalThread()] =
            cuda::blockReduce(static_cast<float>(threadIdx.x), cuda::sharedMemory<float>(), cuda::Plus());
      });
      CHECK(results == Floats(static_cast<size_t>(2 * threads), expected));
    }
  }
}

TEST("divisions by multiplication are exact up to 2^31, and larger numbers are divided as they are") {
  Philox random(1, 0, 0, RandomPurpose::kInitialise);
  const int64_t limit = (int64_t{1} << 31) - 1;
  std::vector<int64_t> divisors{1, 2, 3, 5, 7, 26, 104, 641, 65535, 65536, 65537, 1 << 30, limit};
  for (int i = 0; i < 200; ++i) divisors.push_back(1 + random.below(static_cast<uint32_t>(limit)) % (1u << (i % 31)));
  for (int64_t divisor : divisors) {
    const cuda::Divider narrow(divisor, limit), wide(divisor, int64_t{1} << 40);
    std::vector<int64_t> numbers{0, 1, divisor - 1, divisor, limit / divisor * divisor, limit};
    for (int i = 0; i < 50; ++i) numbers.push_back(random.below(static_cast<uint32_t>(limit)));
    for (int64_t n : numbers) {
      CHECK_EQUAL(narrow.quotient(n), n / divisor);
      CHECK_EQUAL(wide.quotient(n + (int64_t{1} << 39)), (n + (int64_t{1} << 39)) / divisor);
    }
  }
}

TEST("accesses are as wide as strides and alignment allow") {
  alignas(16) static float memory[8];
  const auto width = [](int64_t length, const void* data, int64_t stride, int64_t bytes) {
    return cuda::laneCount(length, {{data, stride, bytes}});
  };
  const auto* bytes = reinterpret_cast<const std::byte*>(memory);
  CHECK_EQUAL(width(64, bytes, 64, 4), 4);
  CHECK_EQUAL(width(64, bytes, 64, 2), 8);
  CHECK_EQUAL(width(26, bytes, 104, 2), 2);      // Res2Net's splits of 26
  CHECK_EQUAL(width(52, bytes + 8, 208, 2), 4);  // of 52, the second one
  CHECK_EQUAL(width(64, bytes + 4, 64, 4), 1);
  CHECK_EQUAL(width(64, bytes, 67, 2), 1);
  CHECK_EQUAL(cuda::laneCount(64, {{bytes, 64, 2}, {bytes, 64, 4}}), 8);
}
