#include "emulated_backend.h"

#include <cstdlib>

#include "backend/cuda/cuda_device.h"
#include "backend/cuda/direct_kernels.h"
#include "ops/conv2d.h"
#include "ops/matmul.h"

namespace jcs {

void cuda::failCuda(cudaError_t, const char* call) { fail(errors::kInternal, std::string(call) + " failed"); }

namespace {

using namespace cuda;

std::string nameOf(cuda_emulation::Order order) {
  switch (order) {
    case cuda_emulation::Order::kForward: return "cuda-emulated";
    case cuda_emulation::Order::kReverse: return "cuda-emulated-reverse";
    case cuda_emulation::Order::kShuffled: return "cuda-emulated-shuffled";
  }
  return "";
}

class EmulatedCudaBackend : public Backend {
 public:
  explicit EmulatedCudaBackend(cuda_emulation::Order order) : stream_{order} {
    device_.computeCapability = 90;
    device_.multiprocessors = 2;  // so that small cases, too, take more than one wave of blocks
    device_.sharedBytesPerBlock = 48 << 10;
    device_.stream = &stream_;
    registerBatchNorm(registry_);
    registerCommunication(registry_);
    registerElementwise(registry_);
    registerLayout(registry_);
    registerLoss(registry_);
    registerOptimizer(registry_);
    registerImages(registry_);
    registerPool(registry_);
    registerReduce(registry_);
    registerResize(registry_);
    registry_.add<Conv2d>(prepareDirectConv2d, [](const Op& op, bool isOutput, int index) {
      return isOutput || index == 0 || index == static_cast<const Conv2d&>(op).residualInput();
    });
    registry_.add<Conv2dInputGradient>(prepareDirectConv2dInputGradient,
                                       [](const Op&, bool isOutput, int index) { return isOutput || index == 0; });
    registry_.add<Conv2dWeightGradient>(prepareDirectConv2dWeightGradient,
                                        [](const Op&, bool isOutput, int) { return !isOutput; });
    registry_.add<Matmul>(prepareDirectMatmul);
  }

  DeviceInfo device() const override {
    DeviceInfo info;
    info.name = nameOf(stream_.order);
    info.kind = "cuda";
    info.description = "CUDA's execution model on the host";
    info.isa = "emulated";
    info.library = "none";
    info.available = true;
    info.threads = 1;
    info.bf16 = true;
    return info;
  }
  std::vector<std::string> ops() const override { return registry_.ops(); }
  bool acceptsRowStride(const Op& op, bool isOutput, int index) const override {
    return registry_.acceptsRowStride(op, isOutput, index);
  }
  bool supports(DType dtype) const override { return dtype == DType::kF32 || dtype == DType::kBF16; }
  int64_t channelMultiple(DType, const KernelOptions&) const override { return 8; }
  bool preparesTogether(const Op& op, std::span<const Operand> inputs,
                        std::span<const Operand> outputs) const override {
    return registry_.preparesTogether(op, inputs, outputs);
  }
  std::unique_ptr<Kernel> prepare(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs,
                                  const KernelOptions& options) override {
    return registry_.prepare({op, inputs, outputs, device_, options});
  }

  /// As aligned as CUDA's, and not larger than asked for, so that a sanitizer sees what lies outside.
  std::byte* allocate(int64_t bytes) override {
    void* memory = nullptr;
    const bool done = posix_memalign(&memory, 256, static_cast<size_t>(std::max<int64_t>(bytes, 1))) == 0;
    require(done, errors::kOutOfMemory, "the host has no room for " + std::to_string(bytes) + " bytes");
    return static_cast<std::byte*>(memory);
  }
  void release(std::byte* memory, int64_t) noexcept override { std::free(memory); }
  void upload(std::byte* device, const std::byte* host, int64_t bytes) override { copy(device, host, bytes); }
  void download(std::byte* host, const std::byte* device, int64_t bytes) override { copy(host, device, bytes); }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override {
    std::memmove(to, from, static_cast<size_t>(bytes));
  }
  int64_t freeBytes() const override { return int64_t{1} << 34; }

 private:
  cuda_emulation::Stream stream_;
  CudaDevice device_;
  Registry registry_;
};

}  // namespace

std::shared_ptr<Backend> createEmulatedCudaBackend(cuda_emulation::Order order) {
  return std::make_shared<EmulatedCudaBackend>(order);
}

}  // namespace jcs
