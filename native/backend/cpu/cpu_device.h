#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "backend/cpu/thread_pool.h"
#include "backend/registry.h"
#include "oneapi/dnnl/dnnl.hpp"
#include "oneapi/dnnl/dnnl_threadpool.hpp"

namespace jcs::cpu {

/// What every kernel of this backend shares: threads, and oneDNN's engine and streams over the same threads.
class CpuDevice {
 public:
  explicit CpuDevice(int threads);
  ~CpuDevice();

  ThreadPool& pool() { return pool_; }
  int threads() const { return pool_.threads(); }
  const dnnl::engine& engine() const { return engine_; }
  /// The stream that executes on `threads` threads of the pool.
  dnnl::stream& stream(int threads);

 private:
  class Threads;  ///< oneDNN's view of the pool
  struct Lane;

  ThreadPool pool_;
  dnnl::engine engine_;
  std::mutex lanesMutex_;
  std::map<int, std::unique_ptr<Lane>> lanes_;  ///< by thread count
};

using Prepare = Preparation<CpuDevice>;
using Registry = KernelRegistry<CpuDevice>;

// One function per kernel file adds that file's ops.
void registerBatchNorm(Registry& registry);
void registerCommunication(Registry& registry);
void registerConv2d(Registry& registry);
void registerConv2dGradient(Registry& registry);
void registerElementwise(Registry& registry);
void registerImageAugmentation(Registry& registry);
void registerImageMaps(Registry& registry);
void registerImages(Registry& registry);
void registerLayout(Registry& registry);
void registerLoss(Registry& registry);
void registerMatmul(Registry& registry);
void registerOptimizer(Registry& registry);
void registerPool(Registry& registry);
void registerQuantized(Registry& registry);
void registerReduce(Registry& registry);
void registerResize(Registry& registry);

}  // namespace jcs::cpu
