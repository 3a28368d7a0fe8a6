#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "backend/cpu/huge_pages.h"
#include "backend/cpu/onednn.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/product.h"

namespace jcs::cpu {

namespace {

std::string isaName(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41: return "SSE4.1";
    case dnnl::cpu_isa::avx: return "AVX";
    case dnnl::cpu_isa::avx2: return "AVX2";
    case dnnl::cpu_isa::avx2_vnni: return "AVX2 VNNI";
    case dnnl::cpu_isa::avx2_vnni_2: return "AVX2 VNNI 2";
    case dnnl::cpu_isa::avx512_core: return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni: return "AVX-512 VNNI";
    case dnnl::cpu_isa::avx512_core_bf16: return "AVX-512 BF16";
    case dnnl::cpu_isa::avx512_core_fp16: return "AVX-512 FP16";
    case dnnl::cpu_isa::avx512_core_amx: return "AVX-512 AMX";
    case dnnl::cpu_isa::avx512_core_amx_fp16: return "AVX-512 AMX FP16";
#if defined(__aarch64__)
    default: return "NEON";
#else
    default: return "baseline";
#endif
  }
}

std::string gibibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

/// The file that this code is in, as it was built: its size and when. Empty where that cannot be told.
std::string libraryFile() {
  Dl_info found;
  struct stat status;
  static const char place = 0;
  if (::dladdr(&place, &found) == 0 || ::stat(found.dli_fname, &status) != 0) return {};
  return std::to_string(status.st_size) + " bytes of " + std::to_string(status.st_mtim.tv_sec) + '.' +
         std::to_string(status.st_mtim.tv_nsec);
}

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(int threads) : device_(threads) {
    registerImageAugmentation(registry_);
    registerBatchNorm(registry_);
    registerCommunication(registry_);
    registerConv2d(registry_);
    registerConv2dGradient(registry_);
    registerElementwise(registry_);
    registerLayout(registry_);
    registerLoss(registry_);
    registerImageMaps(registry_);
    registerMatmul(registry_);
    registerOptimizer(registry_);
    registerImages(registry_);
    registerPool(registry_);
    registerQuantized(registry_);
    registerReduce(registry_);
    registerResize(registry_);
  }

  DeviceInfo device() const override {
    const dnnl_version_t* version = dnnl_version();
    DeviceInfo info;
    info.name = info.kind = "cpu";
    info.description = processorName();
    info.isa = isaName(dnnl::get_effective_cpu_isa());
    info.library = "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                   std::to_string(version->patch);
    info.available = true;
    info.memoryBytes = totalMemoryBytes();
    info.threads = device_.threads();
    info.bf16 = multipliesBf16();
    info.int8 = hasUkernels(DType::kU8);
    return info;
  }

  std::vector<std::string> ops() const override { return registry_.ops(); }
  bool acceptsRowStride(const Op& op, bool isOutput, int index) const override {
    return registry_.acceptsRowStride(op, isOutput, index);
  }
  bool supports(DType dtype) const override {
    return dtype == DType::kF32 || dtype == DType::kU8 || (dtype == DType::kBF16 && multipliesBf16());
  }
  std::unique_ptr<Kernel> prepare(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs,
                                  const KernelOptions& options) override {
    invariant(options.threads >= 1 && options.threads <= device_.threads(),
              "a kernel is prepared for more threads than there are");
    return registry_.prepare({op, inputs, outputs, device_, options});
  }
  std::vector<std::unique_ptr<Kernel>> choices(const Op& op, std::span<const Operand> inputs,
                                               std::span<const Operand> outputs,
                                               const KernelOptions& options) override {
    return registry_.choices({op, inputs, outputs, device_, options});
  }

  std::string kernelsIdentity() const override {
    const std::string library = libraryFile();
    const DeviceInfo info = device();
    return library.empty() ? library : info.isa + ", " + info.library + ", " + library;
  }

  bool allocatesHostMemory() const override { return true; }
  std::byte* allocate(int64_t bytes) override {
    invariant(bytes >= 0, "a negative number of bytes is allocated");
    // Untouched memory is only promised by the system, and touching too much of it kills the process: ask first. Asking
    // takes longer than a small vector is worth.
    const int64_t available = bytes < kHugePageBytes ? withinLimit(bytes) : freeBytes();
    std::byte* const memory = bytes <= available ? allocateHostMemory(bytes) : nullptr;
    if (!memory)
      fail(errors::kOutOfMemory, "the CPU has no room for " + std::to_string(bytes) + " bytes (" + gibibytes(bytes) +
                                     "): " + std::to_string(available) + " bytes (" + gibibytes(available) +
                                     ") are available; use a smaller batch or image, or free memory of other "
                                     "processes");
    used_ += bytes;
    return memory;
  }
  void release(std::byte* memory, int64_t bytes) noexcept override {
    if (bytes >= kHugePageBytes) hugePages_.forget(memory);
    freeHostMemory(memory, bytes);
    used_ -= bytes;
  }
  void settle(std::byte* memory, int64_t bytes) noexcept override { hugePages_.use(memory, bytes); }
  void upload(std::byte* device, const std::byte* host, int64_t bytes) override { copy(device, host, bytes); }
  void download(std::byte* host, const std::byte* device, int64_t bytes) override { copy(host, device, bytes); }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override {
    device_.pool().parallelFor(device_.threads(), bytes, 1 << 20, [&](int64_t begin, int64_t end, int) {
      std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
    });
  }
  int64_t freeBytes() const override { return withinLimit(availableMemoryBytes()); }
  void limitMemory(int64_t bytes) override { limit_ = bytes; }

 private:
  /// So many bytes, or what the limit leaves of them.
  int64_t withinLimit(int64_t bytes) const {
    const int64_t limit = limit_;
    return limit == 0 ? bytes : std::clamp<int64_t>(limit - used_, 0, bytes);
  }

  std::atomic<int64_t> used_{0}, limit_{0};
  HugePages hugePages_;
  CpuDevice device_;
  Registry registry_;
};

}  // namespace

}  // namespace jcs::cpu

#define JCS_EXPORT extern "C" __attribute__((visibility("default")))

JCS_EXPORT int jcsBackendAbi() { return jcs::kBackendAbi; }

JCS_EXPORT void jcsListDevices(std::vector<jcs::DeviceInfo>& devices) {
  devices.push_back(jcs::cpu::CpuBackend(1).device());
  devices.back().threads = jcs::cpu::availableThreads();
}

JCS_EXPORT jcs::Backend* jcsCreateBackend(int index, int threads) {
  const int available = jcs::cpu::availableThreads();
  jcs::require(index == 0, jcs::errors::kDeviceUnavailable,
               [&] { return "there is one CPU device, 'cpu', and no number " + std::to_string(index); });
  jcs::require(threads >= 0, jcs::errors::kInvalidArgument, [&] {
    return "threads must be at least 1, or 0 for as many as there are, got " + std::to_string(threads);
  });
  return new jcs::cpu::CpuBackend(threads == 0 ? available : threads);
}
