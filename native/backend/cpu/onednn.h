#pragma once

#include <string>
#include <unordered_map>
#include <utility>

#include "backend/cpu/cpu_device.h"

namespace jcs::cpu {

[[noreturn]] void failOnednn(const char* call, const dnnl::error& error);

/// Makes a call into oneDNN; a failure becomes an error of ours that names the call.
template <typename Call>
auto onednnCall(const char* name, Call&& call) {
  try {
    return call();
  } catch (const dnnl::error& error) {
    failOnednn(name, error);
  }
}

/// While it lives, oneDNN prepares on this thread for `threads` threads.
class OnednnConcurrency {
 public:
  explicit OnednnConcurrency(int threads);
  ~OnednnConcurrency();
  OnednnConcurrency(const OnednnConcurrency&) = delete;
  OnednnConcurrency& operator=(const OnednnConcurrency&) = delete;

 private:
  int previous_ = 0;
};

/// Whether the processor multiplies bf16 pairs itself. Where it does not, float32 is faster, and bf16 not supported.
bool multipliesBf16();
/// Whether it sums products of four bytes in 32 bits. Older instructions add pairs of them in 16, which saturates.
bool hasVnni();
/// Whether it has registers of sixteen floats.
bool hasAvx512();
/// Whether it multiplies bf16 in a matrix unit (AMX), many times faster than float32, not twice.
bool hasBf16MatrixUnit();

dnnl::memory::data_type onednnType(DType dtype);
/// An N×H×W×C operand as oneDNN sees it, dimensions N, C, H, W; rows may be strided.
dnnl::memory::desc channelsLastDesc(const Operand& operand);
/// A vector.
dnnl::memory::desc vectorDesc(const Operand& operand);

/// The attributes that all our primitives start from: scratch memory is ours.
dnnl::primitive_attr userScratchpad();

/// A primitive and the memory objects of its arguments, created once; runs only exchange their pointers. Arguments of
/// an empty description (no bias, no residual) are left out, and their pointers ignored.
class BoundPrimitive {
 public:
  using Arguments = std::initializer_list<std::pair<int, dnnl::memory::desc>>;
  using Pointers = std::initializer_list<std::pair<int, const void*>>;

  BoundPrimitive() = default;
  /// `make` creates the primitive from its description, whose scratchpad and name it takes.
  template <typename Description, typename Make>
  BoundPrimitive(CpuDevice& device, int threads, const Description& description, Make&& make, Arguments arguments)
      : BoundPrimitive(device, threads, onednnCall("primitive", [&]() -> dnnl::primitive { return make(description); }),
                       description.scratchpad_desc(), description.impl_info_str(), arguments) {}

  /// Runs with these pointers; arguments not named keep theirs.
  void execute(Pointers pointers, std::byte* scratch);

  int64_t scratchBytes() const { return scratchBytes_; }
  const std::string& implementation() const { return implementation_; }
  explicit operator bool() const { return stream_ != nullptr; }

 private:
  BoundPrimitive(CpuDevice& device, int threads, dnnl::primitive primitive, const dnnl::memory::desc& scratchpad,
                 std::string implementation, Arguments arguments);

  dnnl::stream* stream_ = nullptr;
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
  int64_t scratchBytes_ = 0;
  std::string implementation_;
};

/// Copies between layouts and dtypes.
BoundPrimitive makeReorder(CpuDevice& device, int threads, const dnnl::memory::desc& from,
                           const dnnl::memory::desc& to);

}  // namespace jcs::cpu
