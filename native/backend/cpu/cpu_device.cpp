#include "backend/cpu/cpu_device.h"

#include "backend/cpu/onednn.h"

namespace jcs::cpu {

/// A primitive is created for, and must run on, a number of threads that may be less than the pool's.
class CpuDevice::Threads : public dnnl::threadpool_interop::threadpool_iface {
 public:
  Threads(ThreadPool& pool, int threads) : pool_(pool), threads_(threads) {}
  int get_num_threads() const override { return threads_; }
  bool get_in_parallel() const override { return ThreadPool::insideLoop(); }
  uint64_t get_flags() const override { return 0; }
  void parallel_for(int count, const std::function<void(int, int)>& body) override {
    const int parts = std::min(count, threads_);
    pool_.run(parts, [&](int part) {
      for (int i = part; i < count; i += parts) body(i, count);
    });
  }

 private:
  ThreadPool& pool_;
  int threads_;
};

struct CpuDevice::Lane {
  Threads threads;
  dnnl::stream stream;
};

CpuDevice::CpuDevice(int threads)
    : pool_(threads), engine_(onednnCall("engine", [] { return dnnl::engine(dnnl::engine::kind::cpu, 0); })) {}

CpuDevice::~CpuDevice() = default;

dnnl::stream& CpuDevice::stream(int threads) {
  const std::lock_guard lock(lanesMutex_);
  std::unique_ptr<Lane>& lane = lanes_[threads];
  if (!lane) {
    auto made = std::make_unique<Lane>(Lane{Threads(pool_, threads), {}});
    made->stream = onednnCall("threadpool_interop::make_stream",
                              [&] { return dnnl::threadpool_interop::make_stream(engine_, &made->threads); });
    lane = std::move(made);
  }
  return lane->stream;
}

}  // namespace jcs::cpu
