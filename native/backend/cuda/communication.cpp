#include "ops/communication.h"

#include <vector>

#include "backend/cuda/operands.h"
#include "communication/communicator.h"

namespace jcs::cuda {

namespace {

/// Sums are begun under the address of the start's result, which is what the finish reads. They go through memory of
/// the host: the stream is waited for, hence a program that has ranks is not recorded.
class AllReduceKernel : public Kernel {
 public:
  explicit AllReduceKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)),
        stream_(p.device.stream),
        communicator_(p.options.communicator),
        elements_(p.inputs[0].type.elements()) {
    invariant(p.inputs[0].type.dtype == DType::kF32, "sums over ranks are of float32");
    if (communicator_ != nullptr) host_.resize(static_cast<size_t>(elements_));
  }

  std::string implementation() const override { return communicator_ == nullptr ? "alone" : "through the host"; }

 protected:
  void copy(const std::byte* from, std::byte* to) const {
    if (from == to) return;
    const LoopShape line = loopShape(Shape{elements_});
    const LoopOperand floats{DType::kF32, {1}};
    mapElements(launcher_, line, Map::kIdentity, 1, floats, to, floats, from);
  }
  void transfer(void* to, const void* from, cudaMemcpyKind kind) const {
    checkCuda(cudaMemcpyAsync(to, from, host_.size() * sizeof(float), kind, stream_), "cudaMemcpyAsync");
    checkCuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

  Launcher launcher_;
  cudaStream_t stream_;
  communication::Communicator* communicator_;
  int64_t elements_;
  std::vector<float> host_;
};

class AllReduceStartKernel : public AllReduceKernel {
 public:
  using AllReduceKernel::AllReduceKernel;
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    copy(in[0], out[0]);
    if (communicator_ == nullptr) return;
    transfer(host_.data(), out[0], cudaMemcpyDeviceToHost);
    communicator_->startSum(out[0], host_);
  }
};

class AllReduceFinishKernel : public AllReduceKernel {
 public:
  using AllReduceKernel::AllReduceKernel;
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    if (communicator_ == nullptr) return copy(in[0], out[0]);
    communicator_->finishSum(in[0], host_);
    transfer(out[0], host_.data(), cudaMemcpyHostToDevice);
  }
};

}  // namespace

void registerCommunication(Registry& registry) {
  registry.add<AllReduceStart>([](const Prepare& p) { return std::make_unique<AllReduceStartKernel>(p); });
  registry.add<AllReduceFinish>([](const Prepare& p) { return std::make_unique<AllReduceFinishKernel>(p); });
}

}  // namespace jcs::cuda
