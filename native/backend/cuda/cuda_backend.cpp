#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "backend/cuda/convolution.h"
#include "backend/cuda/cublaslt.h"
#include "backend/cuda/cuda_device.h"
#include "backend/cuda/cudnn.h"
#include "backend/cuda/device_check.h"
#include "backend/cuda/device_memory.h"
#include "backend/cuda/event.h"
#include "backend/cuda/kernels/conv2d.h"
#include "backend/cuda/pinned_memory.h"
#include "backend/cuda/plan_timer.h"
#include "backend/cuda/shared_library.h"
#include "core/cache_folder.h"

namespace jcs::cuda {

[[noreturn]] void failCuda(cudaError_t status, const char* call) {
  cudaGetLastError();  // reported now, and not by a later call
  if (status == cudaErrorMemoryAllocation)
    fail(errors::kOutOfMemory, std::string("CUDA's ") + call + " found no memory; use a smaller batch or image");
  fail(errors::kInternal, std::string("CUDA's ") + call + " failed: " + cudaGetErrorString(status) +
                              "; the device cannot be used in this process any more. Please report this with the "
                              "output of nvidia-smi");
}

namespace {

/// Newer devices than these run them, or compile them from PTX.
constexpr int kOldestKernels = JCS_CUDA_OLDEST_KERNELS;

int attributeOf(int device, cudaDeviceAttr attribute) {
  int value = 0;
  checkCuda(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
  return value;
}

int capabilityOf(int device) {
  return 10 * attributeOf(device, cudaDevAttrComputeCapabilityMajor) +
         attributeOf(device, cudaDevAttrComputeCapabilityMinor);
}

MachineState askMachine() {
  MachineState machine;
  if (cudaDriverGetVersion(&machine.driverVersion) != cudaSuccess) machine.driverVersion = 0;
  machine.status = cudaGetDeviceCount(&machine.devices);
  machine.statusText = cudaGetErrorString(machine.status);
  if (machine.status != cudaSuccess) machine.devices = 0;
  cudaGetLastError();  // what failed here must not be reported by a later call
  return machine;
}

[[noreturn]] void unavailable(const std::string& reason) { fail(errors::kDeviceUnavailable, reason); }

void requireMachine(const MachineState& machine) {
  if (const std::string reason = reasonAgainst(machine); !reason.empty()) unavailable(reason);
}

/// Says why where the device cannot be used, as far as its properties tell: nothing is made on it.
void requireDevice(const MachineState& machine, int index) {
  const bool exists = index < machine.devices;
  const int capability = exists ? capabilityOf(index) : 0;
  const std::string reason = reasonAgainstDevice(machine, index, capability,
                                                 exists && attributeOf(index, cudaDevAttrMemoryPoolsSupported) != 0,
                                                 capability >= kOldestKernels);
  if (!reason.empty()) unavailable(reason);
}

/// Makes the device current for this thread, with whatever the driver needs for that.
void makeCurrent(int index) {
  if (const cudaError_t status = cudaSetDevice(index); status != cudaSuccess) {
    cudaGetLastError();
    unavailable("the driver cannot use the GPU in this process (" + std::string(cudaGetErrorString(status)) +
                "); check with `nvidia-smi` who holds it and its memory, and its compute mode");
  }
  if (!hasKernelsForCurrentDevice())
    unavailable(reasonAgainstDevice(askMachine(), index, capabilityOf(index), true, false));
}

DeviceInfo describeDevice(int index, const std::string& library) {
  cudaDeviceProp properties{};
  checkCuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  const int capability = 10 * properties.major + properties.minor;
  DeviceInfo info;
  info.name = "cuda:" + std::to_string(index);
  info.kind = "cuda";
  info.description = properties.name;
  info.isa = "sm_" + std::to_string(capability);
  info.library = library;
  info.available = true;
  info.memoryBytes = static_cast<int64_t>(properties.totalGlobalMem);
  info.threads = 1;
  info.bf16 = info.tf32 = capability >= 80;
  return info;
}

/// The plans of what this device is, which is what cuDNN makes them for; none are kept with JCS_CUDA_PLANS=off.
PlanFiles keptPlans(int device, const CuDnn& cudnn) {
  const char* setting = std::getenv("JCS_CUDA_PLANS");
  const std::filesystem::path cache = cacheFolder();
  if (cache.empty() || (setting && std::string_view(setting) == "off")) return {};
  cudaDeviceProp properties{};
  checkCuda(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  int driver = 0;
  checkCuda(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  std::string name = properties.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '-';
  return PlanFiles(cache / "plans" /
                   (name + "-" + std::to_string(properties.multiProcessorCount) + "-cuda" + std::to_string(driver) +
                    "-cudnn" + cudnn.versionText()));
}

/// JCS_CUDA_TIME_PLANS: how many plans of every convolution are timed before one is taken. Without it eight are, of
/// those that are quickly tried, if the choice can be kept: processes that resume a training have to make the same.
TimedPlans timedPlans(const PlanFiles& files) {
  const char* setting = std::getenv("JCS_CUDA_TIME_PLANS");
  if (setting) return {static_cast<size_t>(std::clamp(std::atoi(setting), 1, 32)), true};
  return {files.keepsAny() ? size_t{8} : size_t{1}, false};
}

class CudaRecording : public Recording {
 public:
  CudaRecording(cudaGraphExec_t executable, cudaStream_t stream, size_t operations)
      : executable_(executable), stream_(stream), operations_(operations) {}
  ~CudaRecording() override { cudaGraphExecDestroy(executable_); }
  void replay() override { checkCuda(cudaGraphLaunch(executable_, stream_), "cudaGraphLaunch"); }
  size_t operations() const override { return operations_; }

 private:
  cudaGraphExec_t executable_;
  cudaStream_t stream_;
  size_t operations_;
};

/// A stream of its own, released after everything that uses it.
class Stream {
 public:
  Stream() { checkCuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaBackend : public Backend {
 public:
  explicit CudaBackend(int index)
      : folders_(cudaLibraryFolders()),
        blas_(folders_),  // first: cuDNN's own parts look for it
        cudnn_(folders_),
        plans_(keptPlans(index, cudnn_)),
        convolutions_(PlanTarget{cudnn_}, plans_),
        memory_(index, stream_),
        pinned_(std::make_shared<PinnedMemory>(index)),
        transfers_(memory_, stream_) {
    cudnn_.open(stream_);
    blas_.open();
    device_.index = index;
    device_.computeCapability = capabilityOf(index);
    device_.multiprocessors = attributeOf(index, cudaDevAttrMultiProcessorCount);
    device_.sharedBytesPerBlock = attributeOf(index, cudaDevAttrMaxSharedMemoryPerBlockOptin);
    device_.l2Bytes = attributeOf(index, cudaDevAttrL2CacheSize);
    device_.stream = stream_;
    device_.convolutions = &convolutions_;
    convolutions_.timePlans(timedPlans(plans_),
                            [this](const auto&... plan) { return secondsOf(plan..., memory_, stream_); });
    device_.blas = &blas_;
    registerBatchNorm(registry_);
    registerCommunication(registry_);
    registerConv2d(registry_);
    registerConv2dGradient(registry_);
    registerElementwise(registry_);
    registerLayout(registry_);
    registerLoss(registry_);
    registerMatmul(registry_);
    registerOptimizer(registry_);
    registerImages(registry_);
    registerPool(registry_);
    registerReduce(registry_);
    registerResize(registry_);
  }
  ~CudaBackend() override {
    cudaSetDevice(device_.index);
    cudaStreamSynchronize(stream_);
  }

  DeviceInfo device() const override {
    return describeDevice(device_.index, "cuDNN " + cudnn_.versionText() + ", cuBLASLt " + blas_.versionText());
  }
  std::vector<std::string> ops() const override { return registry_.ops(); }
  bool acceptsRowStride(const Op& op, bool isOutput, int index) const override {
    return registry_.acceptsRowStride(op, isOutput, index);
  }
  bool supports(DType dtype) const override {
    return dtype == DType::kF32 || (dtype == DType::kBF16 && device_.computeCapability >= 80);
  }
  bool preparesSlowly() const override { return true; }
  int64_t channelMultiple(DType activation, const KernelOptions& options) const override {
    return channelQuantum(activation, activation == DType::kBF16 || options.tf32, 1);
  }
  bool preparesTogether(const Op& op, std::span<const Operand> inputs,
                        std::span<const Operand> outputs) const override {
    return registry_.preparesTogether(op, inputs, outputs);
  }
  std::unique_ptr<Kernel> prepare(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs,
                                  const KernelOptions& options) override {
    use();
    return registry_.prepare({op, inputs, outputs, device_, options});
  }

  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    use();
    const auto still = memory_.holdStill();
    // Thread-local: other devices' threads may allocate meanwhile.
    checkCuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    bool captured = true;
    try {
      work();
    } catch (...) {
      captured = false;  // the stream has to leave its capture, whatever it was
    }
    cudaGraph_t graph = nullptr;
    captured = cudaStreamEndCapture(stream_, &graph) == cudaSuccess && captured;
    const std::unique_ptr<CUgraph_st, cudaError_t (*)(cudaGraph_t)> owner(graph, cudaGraphDestroy);
    cudaGraphExec_t executable = nullptr;
    size_t operations = 0;
    if (captured && cudaGraphGetNodes(graph, nullptr, &operations) == cudaSuccess &&
        cudaGraphInstantiate(&executable, graph, 0) == cudaSuccess)
      return std::make_unique<CudaRecording>(executable, stream_, operations);
    // Something that a stream cannot capture, or no memory for the graph: the work is enqueued kernel by kernel
    // instead, which reports what is wrong with it, if anything is.
    cudaGetLastError();
    return nullptr;
  }

  std::vector<double> time(std::span<const std::function<void()>> parts) override {
    use();
    std::vector<Event> marks;
    marks.push_back(recordEvent(stream_));
    for (const auto& part : parts) part(), marks.push_back(recordEvent(stream_));
    checkCuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    std::vector<double> seconds;
    for (size_t i = 0; i < parts.size(); ++i) seconds.push_back(secondsBetween(marks[i], marks[i + 1]));
    return seconds;
  }

  std::byte* allocate(int64_t bytes) override {
    use();
    return memory_.allocate(bytes);
  }
  void release(std::byte* memory, int64_t bytes) noexcept override {
    cudaSetDevice(device_.index);
    memory_.release(memory, bytes);
  }
  void limitMemory(int64_t bytes) override { memory_.limit(bytes); }
  std::shared_ptr<std::byte> hostMemory(int64_t bytes) override {
    if (auto memory = pinned_->acquire(bytes)) return memory;
    return Backend::hostMemory(bytes);
  }
  void upload(std::byte* device, const std::byte* host, int64_t bytes) override {
    use();
    if (!pinned_->upload(device, host, bytes, stream_)) transfers_.upload(device, host, bytes);
  }
  void download(std::byte* host, const std::byte* device, int64_t bytes) override {
    use();
    transfers_.download(host, device, bytes);
  }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override {
    use();
    checkCuda(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream_),
              "cudaMemcpyAsync");
  }
  int64_t freeBytes() const override {
    use();
    return memory_.freeBytes();
  }

 private:
  /// CUDA's calls are about the device that is current for the thread, and engines of several devices have one each.
  void use() const { checkCuda(cudaSetDevice(device_.index), "cudaSetDevice"); }

  Stream stream_;  // first: the handles below enqueue on it until they are gone
  std::vector<std::filesystem::path> folders_;
  CuBlasLt blas_;
  CuDnn cudnn_;
  PlanFiles plans_;
  ConvolutionPlans convolutions_;
  DeviceMemory memory_;
  std::shared_ptr<PinnedMemory> pinned_;
  Transfers transfers_;
  CudaDevice device_;
  Registry registry_;
};

}  // namespace

}  // namespace jcs::cuda

#define JCS_EXPORT extern "C" __attribute__((visibility("default")))

JCS_EXPORT int jcsBackendAbi() { return jcs::kBackendAbi; }

JCS_EXPORT jcs::Backend* jcsCreateBackend(int index, int) {
  using namespace jcs::cuda;
  const MachineState machine = askMachine();
  requireMachine(machine);
  requireDevice(machine, index);
  makeCurrent(index);
  try {
    return new CudaBackend(index);
  } catch (const jcs::Error& error) {
    if (error.code() == jcs::errors::kDeviceUnavailable) throw;
    unavailable("the GPU does not start: " + std::string(error.what()));
  }
}

JCS_EXPORT void jcsListDevices(std::vector<jcs::DeviceInfo>& devices) {
  using namespace jcs::cuda;
  const MachineState machine = askMachine();
  requireMachine(machine);
  for (int index = 0; index < machine.devices; ++index) {
    jcs::DeviceInfo info;
    info.name = "cuda:" + std::to_string(index);
    info.kind = "cuda";
    try {
      info = describeDevice(index, "");
      requireDevice(machine, index);
      const auto folders = cudaLibraryFolders();
      const CuBlasLt blas(folders);
      const CuDnn cudnn(folders);
      info.library = "cuDNN " + cudnn.versionText() + ", cuBLASLt " + blas.versionText();
    } catch (const jcs::Error& error) {
      info.available = false;
      info.reason = error.what();
    }
    devices.push_back(info);
  }
}
