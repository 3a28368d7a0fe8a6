#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/alignment.h"
#include "core/tensor.h"
#include "graph/op.h"

namespace jcs {

namespace communication {
class Communicator;
}

/// What a kernel is prepared for: a type and how its rows lie in memory. A row is the innermost axis (the channels of
/// a pixel); consecutive rows start `rowStride` elements apart, more than the channels when the operand is a channel
/// slice of a wider tensor.
struct Operand {
  TensorType type;
  int64_t rowStride = 0;
  int64_t alignment = kMemoryAlignment;  ///< bytes that its address is a multiple of

  static Operand dense(TensorType t) { return {t, t.shape.channels()}; }
  bool isDense() const { return rowStride == type.shape.channels(); }
};

/// The products that a kernel's algorithm takes.
struct Arithmetic {
  double share = 1;                 ///< of those of the plain sum, which `Op::flops` counts
  std::optional<DType> dtype = {};  ///< of the operands that are multiplied; none: of the op's first input
};

/// A computation prepared for fixed operands. Everything slow (primitive creation, engine search, blocking) happened
/// when it was made. Runs on the execution thread of its device, one kernel at a time.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// `inputs[i]` is the packed form of input i where `packedBytes(i)` is not 0. `scratch` has `scratchBytes()` bytes,
  /// 64-byte aligned, undefined at entry.
  virtual void run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs,
                   std::byte* scratch) = 0;
  virtual int64_t scratchBytes() const { return 0; }

  /// Weights in the layout and precision that the kernel reads. 0: as they are. The program packs an input whose
  /// source does not change between runs once, and others before each run.
  virtual int64_t packedBytes(int /*input*/) const { return 0; }
  virtual void pack(int /*input*/, const std::byte* /*source*/, std::byte* /*packed*/) {}
  /// Names the packed form: kernels of equal names read each other's packed inputs, where the sources are equal.
  /// Empty: nobody else's.
  virtual std::string packedForm(int /*input*/) const { return {}; }

  /// The library's or our own name of the algorithm, for profiles and for the test that no slow path is taken.
  virtual std::string implementation() const { return "own"; }
  virtual Arithmetic arithmetic() const { return {}; }
};

struct DeviceInfo {
  std::string name;         ///< "cpu", "cuda:0": what `device` options say
  std::string kind;         ///< "cpu" | "cuda"
  std::string description;  ///< the processor's name
  std::string isa;          ///< instruction set or compute capability in use
  std::string library;      ///< "oneDNN 3.7.2"
  bool available = false;
  std::string reason;  ///< when unavailable: why, and what to do
  int64_t memoryBytes = 0;
  int threads = 0;
  bool bf16 = false;  ///< fast in hardware: what precision 'auto' picks
  bool int8 = false;  ///< products of bytes are fast in hardware: a quantised model computes in them
  bool tf32 = false;  ///< products of float32 operands can be rounded to tf32, which is faster
};

/// How the kernels of a program are chosen.
struct KernelOptions {
  int threads = 1;    ///< ≤ DeviceInfo::threads
  bool tf32 = false;  ///< products of float32 operands may round them to 10 bits of mantissa
  /// What `Kernel::pack` makes is mostly kept from run to run: where two forms are nearly as fast, the smaller one is
  /// better. Else it is made anew for each run, and used once or twice.
  bool staysPacked = true;
  bool deterministic = true;  ///< the same bits from the same input, every time
  /// Of the ranks that sums are over, outliving the kernels; null where this process is alone.
  communication::Communicator* communicator = nullptr;
};

/// Work that a device has recorded: started as a whole, it does again what was recorded, at the same addresses.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
  /// Kernels and copies that a replay does.
  virtual size_t operations() const { return 0; }
};

/// A device. Turns an op with known operands into a kernel, and owns the device's memory. Work may be done
/// asynchronously, but always in the order in which it was asked for; `download` and `time` wait for it.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual DeviceInfo device() const = 0;
  /// Names of all ops that have a kernel.
  virtual std::vector<std::string> ops() const = 0;
  /// Whether that operand may be a channel slice (rowStride > channels).
  virtual bool acceptsRowStride(const Op& op, bool isOutput, int index) const = 0;
  /// Whether activations of that dtype can be computed on at all; of kU8, whether there are the ops of ops/quantized.h,
  /// and those that join and cut tensors take their bytes.
  virtual bool supports(DType dtype) const = 0;
  /// Whether preparing a program's kernels takes longer than running it on samples that nobody asked for.
  virtual bool preparesSlowly() const { return false; }
  /// Of what the channels of a convolution have to be a multiple, lest kernels pad them in passes of their own.
  virtual int64_t channelMultiple(DType /*activation*/, const KernelOptions& /*options*/) const { return 1; }
  /// Whether `prepare` takes the operands of several such ops, those of each behind those of the one before, and gives
  /// one kernel for all: where starting a kernel takes longer than what it does.
  virtual bool preparesTogether(const Op& /*op*/, std::span<const Operand> /*inputs*/,
                                std::span<const Operand> /*outputs*/) const {
    return false;
  }
  /// Throws INTERNAL when the op has no kernel.
  virtual std::unique_ptr<Kernel> prepare(const Op& op, std::span<const Operand> inputs,
                                          std::span<const Operand> outputs, const KernelOptions& options) = 0;
  /// All kernels that can do it, `prepare`'s among them, to compare what each takes. Empty where there is no choice.
  virtual std::vector<std::unique_ptr<Kernel>> choices(const Op& /*op*/, std::span<const Operand> /*inputs*/,
                                                       std::span<const Operand> /*outputs*/,
                                                       const KernelOptions& /*options*/) {
    return {};
  }

  /// What decides, beside an op and a form, which bytes `Kernel::pack` and kernels make: another process of which this
  /// is equal makes the same ones of the same state. Empty where no other process could read them.
  virtual std::string kernelsIdentity() const { return {}; }

  /// Records what `work` asks for (kernels and copies, no transfers) without doing it. nullptr, and `work` is not
  /// called, on a device where that saves nothing; nullptr too where the work cannot be recorded.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& /*work*/) { return nullptr; }
  /// Does the parts in order and gives the seconds that each took.
  virtual std::vector<double> time(std::span<const std::function<void()>> parts);

  /// Whether what `allocate` gives is memory of the host, which may be filled without `upload` while no kernel reads
  /// it.
  virtual bool allocatesHostMemory() const { return false; }
  /// OUT_OF_MEMORY, naming requested and free bytes, when refused.
  virtual std::byte* allocate(int64_t bytes) = 0;
  virtual void release(std::byte* memory, int64_t bytes) noexcept = 0;
  /// Says that what was allocated will be used for many runs: the device may spend time on it that one would not be
  /// worth.
  virtual void settle(std::byte* /*memory*/, int64_t /*bytes*/) noexcept {}
  /// Memory of the host that may be filled on any thread, and that `upload` takes in one piece and without a copy of
  /// its own where the device can read it. The caller leaves it as it is until the work that was asked for after its
  /// upload is done.
  virtual std::shared_ptr<std::byte> hostMemory(int64_t bytes);
  /// Other memory of the host may be overwritten when `upload` returns.
  virtual void upload(std::byte* device, const std::byte* host, int64_t bytes) = 0;
  virtual void download(std::byte* host, const std::byte* device, int64_t bytes) = 0;
  virtual void copy(std::byte* to, const std::byte* from, int64_t bytes) = 0;
  virtual int64_t freeBytes() const = 0;
  /// Allocations that would exceed `bytes` altogether are refused from now on; 0: as much as the device has.
  virtual void limitMemory(int64_t /*bytes*/) {}
};

inline std::shared_ptr<std::byte> Backend::hostMemory(int64_t bytes) {
  const auto buffer = std::make_shared<HostBuffer>(bytes);
  return {buffer, buffer->data()};
}

inline std::vector<double> Backend::time(std::span<const std::function<void()>> parts) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  for (const auto& part : parts) {
    const auto start = Clock::now();
    part();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  return seconds;
}

/// Memory of a device, released with its owner.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(std::shared_ptr<Backend> backend, int64_t bytes)
      : backend_(std::move(backend)), data_(backend_->allocate(bytes)), bytes_(bytes) {}
  ~DeviceBuffer() { reset(); }
  DeviceBuffer(DeviceBuffer&& other) noexcept { swap(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  void reset() {
    if (data_) backend_->release(data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
  }

 private:
  void swap(DeviceBuffer& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  std::shared_ptr<Backend> backend_;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// Bumped whenever anything in this header, or in an op that kernels read, changes.
inline constexpr int kBackendAbi = 15;

/// What a backend library exports under C linkage. `jcsBackendAbi` is asked first.
///   int jcsBackendAbi();
///   Backend* jcsCreateBackend(int index, int threads);   // throws jcs::Error: DEVICE_UNAVAILABLE
///   void jcsListDevices(std::vector<DeviceInfo>&);       // the same when there is none at all
using BackendAbiFunction = int (*)();
using ListDevicesFunction = void (*)(std::vector<DeviceInfo>&);
using CreateBackendFunction = Backend* (*)(int index, int threads);

}  // namespace jcs
