#include "backend/reference/reference.h"

#include <unistd.h>

#include <cstring>

#include "backend/reference/kernels.h"

namespace jcs::reference {

namespace {

KernelRegistry<Oracle> allKernels() {
  KernelRegistry<Oracle> kernels;
  addConv2dKernels(kernels);
  addElementwiseKernels(kernels);
  addReduceKernels(kernels);
  addMatmulKernels(kernels);
  addBatchNormKernels(kernels);
  addPoolKernels(kernels);
  addQuantizedKernels(kernels);
  addResizeKernels(kernels);
  addLayoutKernels(kernels);
  addLossKernels(kernels);
  addOptimizerKernels(kernels);
  addImageKernels(kernels);
  addCommunicationKernels(kernels);
  return kernels;
}

class ReferenceBackend : public Backend {
 public:
  DeviceInfo device() const override {
    DeviceInfo info;
    info.name = "reference";
    info.kind = "cpu";
    info.description = "plain loops in float64";
    info.isa = "f64";
    info.library = "none";
    info.available = true;
    info.threads = 1;
    info.memoryBytes = freeBytes();
    return info;
  }
  std::vector<std::string> ops() const override { return kernels_.ops(); }
  bool acceptsRowStride(const Op& op, bool isOutput, int index) const override {
    return kernels_.acceptsRowStride(op, isOutput, index);
  }
  bool supports(DType dtype) const override { return dtype == DType::kF64 || dtype == DType::kU8; }

  std::unique_ptr<Kernel> prepare(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs,
                                  const KernelOptions& options) override {
    for (std::span<const Operand> operands : {inputs, outputs})
      for (const Operand& operand : operands)
        invariant(operand.type.dtype == DType::kF64 || operand.type.dtype == DType::kU8,
                  "the reference backend computes in float64 only");
    Oracle oracle;
    return kernels_.prepare({op, inputs, outputs, oracle, options});
  }

  std::byte* allocate(int64_t bytes) override {
    void* memory = std::malloc(static_cast<size_t>(bytes > 0 ? bytes : 1));
    require(memory != nullptr, errors::kOutOfMemory, [&] {
      return "the system refused " + std::to_string(bytes) + " bytes, " + std::to_string(freeBytes()) +
             " are free; use a smaller batch or image, or free memory";
    });
    return static_cast<std::byte*>(memory);
  }
  void release(std::byte* memory, int64_t) noexcept override { std::free(memory); }
  void upload(std::byte* device, const std::byte* host, int64_t bytes) override { copy(device, host, bytes); }
  void download(std::byte* host, const std::byte* device, int64_t bytes) override { copy(host, device, bytes); }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override {
    std::memmove(to, from, static_cast<size_t>(bytes));
  }
  int64_t freeBytes() const override {
    return static_cast<int64_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<int64_t>(sysconf(_SC_PAGESIZE));
  }

 private:
  KernelRegistry<Oracle> kernels_ = allKernels();
};

}  // namespace

std::shared_ptr<Backend> createBackend() { return std::make_shared<ReferenceBackend>(); }

}  // namespace jcs::reference
